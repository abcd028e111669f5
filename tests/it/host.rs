//! What the manifest tells a host.

use serde_json::Value;

#[test]
fn the_manifest_says_how_a_template_wants_its_messages() {
    let say = "{% for part in m.content %}{% if part.type == 'text' %}{{ part.text }}";
    let (begin, end) = ("{{ bos_token }}{% for m in messages %}", "{% endif %}{% endfor %}{% endfor %}");
    for (form, template) in [
        ("parts", format!("{begin}{say}{{% elif part.type == 'image' %}}<image>{end}")),
        ("urls", format!("{begin}{say}{{% elif part.type == 'image_url' %}}<image>{end}")),
        ("text", format!("{begin}{{{{ 'user: ' + m.content }}}}{{% endfor %}}")),
    ] {
        let bench = crate::common::bench::exported(|bench| bench.write("weights/chat_template.jinja", &template));
        let made: Value = serde_json::from_str(&bench.read("bundle/manifest.json")).unwrap();
        let prompt = &made["host"]["prompt"];
        assert_eq!(prompt["template"]["content"]["user"], form, "{prompt}");
        let content = &prompt["example"]["messages"][0]["content"];
        match form {
            "text" => assert!(content.as_str().unwrap().starts_with("<image>"), "{content}"),
            "urls" => assert_eq!(content[0]["type"], "image_url"),
            _ => assert_eq!(content[0]["type"], "image"),
        }
        assert_eq!(prompt["example"]["tokens"][0], prompt["bos"]["id"]);
    }
}
