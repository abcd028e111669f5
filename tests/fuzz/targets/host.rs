//! What the host does with a checkpoint's files and a user's pictures.

use autoneural::Result;
use autoneural::front::Definition;
use autoneural::host::{CHAT_TEMPLATE, Chat, Message, Role, Specials, TOKENIZER, Tokenizer, find_template, load_image};

use super::Place;
use super::place::{look, project};

/// Parts of tokenizers, with numbers and types at which libraries break.
pub const PARTS_OF_TOKENIZERS: [&str; 41] = [
    r#"{"type":"Replace","pattern":{"String":"a"},"content":"aa"}"#,
    r#"{"type":"Replace","pattern":{"String":""},"content":"x"}"#,
    r#"{"type":"Replace","pattern":{"Regex":"(a+)+$"},"content":"x"}"#,
    r#"{"type":"Replace","pattern":{"Regex":""},"content":"x"}"#,
    r#"{"type":"Prepend","prepend":"aaaaaaaaaaaaaaaa"}"#,
    r#"{"type":"Sequence","normalizers":[{"type":"NFKD"},{"type":"Lowercase"},{"type":"StripAccents"}]}"#,
    r#"{"type":"Strip","strip_left":true,"strip_right":true}"#,
    r#"{"type":"Strip","content":"a","start":18446744073709551615,"stop":1}"#,
    r#"{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"strip_accents":null,"lowercase":true}"#,
    r#"{"type":"Precompiled","precompiled_charsmap":"AAAA"}"#,
    r#"{"type":"Precompiled","precompiled_charsmap":""}"#,
    r#"{"type":"Split","pattern":{"Regex":"(?=a)"},"behavior":"Isolated","invert":false}"#,
    r#"{"type":"Split","pattern":{"String":""},"behavior":"MergedWithNext","invert":true}"#,
    r#"{"type":"FixedLength","length":0}"#,
    r#"{"type":"FixedLength","length":18446744073709551615}"#,
    r#"{"type":"Digits","individual_digits":true}"#,
    r#"{"type":"Punctuation","behavior":"Contiguous"}"#,
    r#"{"type":"CharDelimiterSplit","delimiter":"a"}"#,
    r#"{"type":"Metaspace","replacement":"a","prepend_scheme":"always","split":true}"#,
    r#"{"type":"UnicodeScripts"}"#,
    r#"{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":false}"#,
    r#"{"type":"BertPreTokenizer"}"#,
    concat!(
        r#"{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"x","type_id":0}},"#,
        r#"{"Sequence":{"id":"A","type_id":4294967295}}],"pair":[],"special_tokens":{"x":{"id":"x","ids":[0,"#,
        r#"4294967295],"tokens":["x"]}}}"#,
    ),
    r#"{"type":"BertProcessing","sep":["[SEP]",4294967295],"cls":["[CLS]",0]}"#,
    r#"{"type":"RobertaProcessing","sep":["</s>",2],"cls":["<s>",0],"trim_offsets":true,"add_prefix_space":true}"#,
    r#"{"type":"WordPiece","prefix":"","cleanup":true}"#,
    r#"{"type":"CTC","pad_token":"","word_delimiter_token":"","cleanup":true}"#,
    r#"{"type":"BPEDecoder","suffix":""}"#,
    r#"{"type":"ByteFallback"}"#,
    r#"{"type":"Fuse"}"#,
    r#"{"type":"WordLevel","vocab":{"a":0,"b":4294967295},"unk_token":"c"}"#,
    concat!(
        r#"{"type":"WordPiece","unk_token":"","continuing_subword_prefix":"","#,
        r#""max_input_chars_per_word":18446744073709551615,"vocab":{"":0,"a":1}}"#,
    ),
    r#"{"type":"Unigram","unk_id":18446744073709551615,"vocab":[["a",-1e308],["",0]],"byte_fallback":true}"#,
    r#"{"type":"Unigram","unk_id":0,"vocab":[["a",1e308]],"byte_fallback":false}"#,
    concat!(
        r#"{"type":"BPE","dropout":0.5,"unk_token":"a","continuing_subword_prefix":"a","#,
        r#""end_of_word_suffix":"b","fuse_unk":true,"byte_fallback":true,"vocab":{"a":0,"b":1,"ab":2},"#,
        r#""merges":[["a","b"]]}"#,
    ),
    r#"{"type":"BPE","vocab":{"a":0},"merges":[["a","a"]]}"#,
    r#"{"direction":"Right","max_length":0,"strategy":"LongestFirst","stride":18446744073709551615}"#,
    r#"{"direction":"Left","max_length":2,"strategy":"OnlyFirst","stride":2}"#,
    concat!(
        r#"{"strategy":{"Fixed":100000000000},"direction":"Right","pad_to_multiple_of":null,"pad_id":0,"#,
        r#""pad_type_id":0,"pad_token":"x"}"#,
    ),
    concat!(
        r#"{"strategy":"BatchLongest","direction":"Left","pad_to_multiple_of":18446744073709551615,"pad_id":0,"#,
        r#""pad_type_id":0,"pad_token":"x"}"#,
    ),
    concat!(
        r#"{"id":4294967295,"content":"a","single_word":true,"lstrip":true,"rstrip":true,"normalized":true,"#,
        r#""special":false}"#,
    ),
];

fn definition() -> Result<Definition> {
    Definition::read(&project("tests/fuzz/bundle/model/definition.toml"))
}

fn talk() -> [Vec<Message>; 2] {
    [
        vec![Message::new(Role::User, 1, "Which lamp?")],
        vec![
            Message::new(Role::System, 0, "Be <brief> & \"kind\"."),
            Message::new(Role::User, 2, "Wie geht's? 你好 é 42"),
            Message::new(Role::Assistant, 0, ""),
            Message::new(Role::User, 0, " a aa aaa "),
        ],
    ]
}

pub fn tokenizer(place: &Place, bytes: &[u8]) -> Result<()> {
    let path = place.put(&format!("host/{TOKENIZER}"), bytes);
    let folder = path.parent().expect("a folder");
    let definition = definition()?;
    let tokenizer = Tokenizer::read(folder, &definition)?;
    let mut said = vec![];
    for text in ["", "a", "Which lamp is lit?", "aaaaaaaaaaaaaaaaaaaa", "<image> x", "你好 é\u{301} \u{1f600} 42\n\t"]
    {
        if let Some(tokens) = look(tokenizer.prompt(text, 1)) {
            look(tokenizer.text(&tokens));
            said.extend(tokens);
        }
        look(tokenizer.plain(text));
        look(tokenizer.refuse_special(text));
        let without = tokenizer.without_special(text);
        assert!(without.len() <= text.len());
    }
    look(tokenizer.text(&[said, (0..300).collect()].concat()));
    let chat = Chat::read(folder, tokenizer.specials()?)?;
    for messages in talk() {
        tokenizer.conversation(&chat, &messages)?;
    }
    Ok(())
}

pub fn tokenizer_config(place: &Place, bytes: &[u8]) -> Result<()> {
    let path = place.put("config/tokenizer_config.json", bytes);
    find_template(&[path.parent().expect("a folder").to_path_buf()], "export").map(drop)
}

pub fn template(place: &Place, bytes: &[u8]) -> Result<()> {
    let path = place.put(&format!("chat/{CHAT_TEMPLATE}"), bytes);
    let specials = Specials { bos: "<s>".into(), eos: "</s>".into(), image: "<image>".into(), ..Specials::default() };
    let chat = Chat::read(path.parent().expect("a folder"), specials)?;
    for messages in talk() {
        assert!(chat.render(&messages)?.len() <= 16 << 20);
    }
    Ok(())
}

pub fn picture(place: &Place, bytes: &[u8]) -> Result<()> {
    let definition = definition()?;
    let vision = definition.seeing()?;
    let tensor = load_image(&place.put("picture.png", bytes), vision)?;
    let values = tensor.as_f32()?;
    assert_eq!(values.len(), 3 * vision.image_size() * vision.image_size());
    assert!(values.iter().all(|value| (0.0..=1.0).contains(value)), "a pixel is out of range");
    Ok(())
}
