//! Pictures as transformers sees them, and what is said of those that cannot be read.

use std::path::Path;

use autoneural::front::Definition;
use autoneural::host::load_image;

use crate::common::bench::{Bench, FLOAT, INPUT, exported};
use crate::common::{GRAPH, root, stderr, warnings_of};

const FOLDER: &str = "tests/fixtures/pictures";
const SIDE: usize = 32;

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(root(FOLDER).join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Red, green and blue of the pixels that the encoder would get, in 0 to 255.
fn codes(path: &Path, filter: &str) -> Vec<u8> {
    let text = std::fs::read_to_string(root(GRAPH)).unwrap().replace("image_size = 128", "image_size = 32");
    let text = text.replace("resize = \"bilinear\"", &format!("resize = \"{filter}\""));
    let definition = Definition::parse(&text, Path::new("definition.toml")).unwrap_or_else(|error| panic!("{error}"));
    let tensor = load_image(path, definition.seeing().unwrap()).unwrap_or_else(|error| panic!("{error}"));
    let planes = tensor.as_f32().unwrap();
    let code = |at: usize, channel: usize| (planes[channel * SIDE * SIDE + at] * 255.0).round() as u8;
    (0..SIDE * SIDE).flat_map(|at| [0, 1, 2].map(|channel| code(at, channel))).collect()
}

#[test]
fn pictures_are_seen_as_transformers_sees_them() {
    let mut seen = 0;
    for entry in std::fs::read_dir(root(FOLDER)).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_string();
        if name.ends_with(".expected.png") {
            continue;
        }
        let expected = image::open(path.with_file_name(format!("{name}.expected.png"))).unwrap().into_rgb8().into_raw();
        // Decoders of JPEG round differently, also where they make colours of fewer samples.
        let (most, mean) = if name.ends_with(".jpg") { (4, 0.5) } else { (0, 0.0) };
        for (filter, expected) in ["bilinear", "bicubic"].iter().zip(expected.chunks_exact(3 * SIDE * SIDE)) {
            let made = codes(&path, filter);
            let steps: Vec<u8> = made.iter().zip(expected).map(|(made, wanted)| made.abs_diff(*wanted)).collect();
            let largest = *steps.iter().max().unwrap();
            let sum: f64 = steps.iter().map(|&step| f64::from(step)).sum();
            assert!(largest <= most, "{name}, {filter}: a pixel is {largest} steps off");
            assert!(sum / steps.len() as f64 <= mean, "{name}, {filter}: {} steps off", sum / steps.len() as f64);
        }
        seen += 1;
    }
    assert_eq!(seen, 40);
}

/// A PNG with its chunk of Exif data behind the picture, and in the other byte order.
#[test]
fn a_picture_is_turned_wherever_its_note_stands() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("a.png");
    let upright = root(FOLDER).join("turned-1.png");
    for (exif, turned) in [
        (&b"II\x2a\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"[..], "turned-6.png"),
        (b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x08\0\0\0\0\0\0", "turned-8.png"),
    ] {
        // Without the note all of them are the same picture.
        let mut bytes = without_chunk(&std::fs::read(&upright).unwrap(), b"eXIf");
        let end = bytes.len() - 12;
        let chunk = [b"eXIf", exif].concat();
        let length = (exif.len() as u32).to_be_bytes();
        let check = crate::common::bench::checksum(&chunk).to_be_bytes();
        bytes.splice(end..end, [&length[..], &chunk, &check].concat());
        std::fs::write(&path, bytes).unwrap();
        assert!(codes(&path, "bilinear") == codes(&root(FOLDER).join(turned), "bilinear"), "{turned}");
    }
}

fn without_chunk(png: &[u8], name: &[u8; 4]) -> Vec<u8> {
    let at = png.windows(4).position(|window| window == name).expect("the chunk") - 4;
    let length = u32::from_be_bytes(png[at..at + 4].try_into().unwrap()) as usize;
    [&png[..at], &png[at + 12 + length..]].concat()
}

#[test]
fn a_picture_that_is_not_whole_is_refused_and_one_that_is_is_read() {
    let bench = exported(|_| ());
    let ask = |bytes: &[u8]| {
        bench.write("a.jpg", bytes);
        bench.run(&[&FLOAT[..], &["--image", "{a.jpg}", "--prompt", "What?"]].concat())
    };
    let answer = |case: &str, bytes: &[u8]| {
        let output = ask(bytes);
        assert!(output.status.success(), "{case}: {}", stderr(&output));
        output.stdout
    };
    for name in ["444.jpg", "420.jpg", "422-restarts.jpg", "progressive.jpg", "progressive-restarts.jpg", "grey.jpg"] {
        let whole = fixture(name);
        let (half, end) = (whole.len() / 2, whole.len());
        let gap = |from: usize, to: usize| [&whole[..from], &vec![0; to - from], &whole[to..]].concat();
        let cases: [(&str, Vec<u8>, &str); 6] = [
            ("cut", whole[..half].to_vec(), "ends in the middle"),
            ("cut at the end", whole[..end - 12].to_vec(), "ends in the middle"),
            ("ended too early", [&whole[..half], &[0xff, 0xd9]].concat(), "too early"),
            ("zeros to the end", gap(half, end), ""),
            ("zeros, then an end", [&gap(half, end)[..], &[0xff, 0xd9]].concat(), ""),
            ("a gap", gap(half, half + 200), ""),
        ];
        for (case, bytes, word) in cases {
            let words = ["a.jpg: cannot be read as an image: it ", word, "copy or download it again"];
            bench.expect(&format!("{name}, {case}"), &ask(&bytes), INPUT, &words);
        }
        let said = answer(name, &whole);
        let tables = whole.windows(2).position(|window| window == [0xff, 0xdb]).unwrap();
        // Nothing of the picture is missing here.
        let odd: [(&str, Vec<u8>); 5] = [
            ("no mark of the end", whole[..end - 2].to_vec()),
            ("something behind it", [&whole[..], b"a second picture"].concat()),
            ("zeros behind it", [&whole[..], &[0; 4096]].concat()),
            ("filled up before the end", [&whole[..end - 2], &[0xff, 0xff], &whole[end - 2..]].concat()),
            ("something between segments", [&whole[..tables], b"abcdefgh", &whole[tables..]].concat()),
        ];
        for (case, bytes) in odd {
            assert_eq!(answer(&format!("{name}, {case}"), &bytes), said, "{name}, {case}");
        }
    }
    // A progressive picture without its last scan is whole only if it says that it ends there.
    let whole = fixture("progressive.jpg");
    let last = whole.windows(2).rposition(|window| window == [0xff, 0xda]).unwrap();
    let last = whole[..last].windows(2).rposition(|window| window == [0xff, 0xc4]).unwrap();
    bench.expect("a scan less", &ask(&whole[..last]), INPUT, &["scans of it are missing"]);
    answer("a scan less, on purpose", &[&whole[..last], &[0xff, 0xd9]].concat());
}

#[test]
fn calibration_does_not_take_half_a_picture() {
    let bench = Bench::new();
    let whole = fixture("444.jpg");
    bench.write("recipe/photo.png", &whole[..whole.len() / 2]);
    let words = ["calibration[0]", "recipe/photo.png", "it ends in the middle, after "];
    bench.expect("half", &bench.compile(), INPUT, &words);
}

#[test]
fn a_file_of_another_format_is_called_by_its_name() {
    let bench = exported(|_| ());
    for (bytes, name) in [
        (&b"RIFF\x24\0\0\0WEBPVP8L"[..], "a WebP image"),
        (b"\0\0\0\x20ftypavif\0\0\0\0", "an AVIF image"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1", "a HEIC image"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0heic", "a HEIF image"),
        (b"GIF89a\x01\0\x01\0\0\0\0;", "a GIF image"),
        (b"BM\x36\x10\0\0", "a BMP image"),
        (b"II\x2a\0\x08\0\0\0", "a TIFF or raw image"),
        (b"MM\0\x2a\0\0\0\x08", "a TIFF or raw image"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 image"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL image"),
        (b"<?xml version=\"1.0\"?>\n<svg width=\"3\"/>", "an SVG drawing"),
        (b"%PDF-1.7", "a PDF document"),
    ] {
        for ending in ["png", "jpg"] {
            let file = format!("a.{ending}");
            bench.write(&file, bytes);
            let picture = format!("{{{file}}}");
            let output = bench.run(&[&FLOAT[..], &["--image", &picture, "--prompt", "What?"]].concat());
            let words = [&file[..], &format!("it is {name}"), "PNG and JPEG images are read", "convert"];
            bench.expect(name, &output, INPUT, &words);
        }
    }
    bench.write("a.png", "version https://git-lfs.github.com/spec/v1\n");
    let output = bench.run(&[&FLOAT[..], &["--image", "{a.png}", "--prompt", "What?"]].concat());
    bench.expect("a pointer", &output, INPUT, &["a.png", "is a git-lfs pointer", "git lfs pull"]);
    // The contents count, not the name.
    bench.write("a.jpg", fixture("wide.png"));
    let output = bench.run(&[&FLOAT[..], &["--image", "{a.jpg}", "--prompt", "What?"]].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    for kind in [0xc3u8, 0xc9] {
        let mut jpeg = fixture("444.jpg");
        let at = jpeg.windows(2).position(|window| window == [0xff, 0xc0]).unwrap();
        jpeg[at + 1] = kind;
        bench.write("a.jpg", jpeg);
        let output = bench.run(&[&FLOAT[..], &["--image", "{a.jpg}", "--prompt", "What?"]].concat());
        bench.expect("another kind of JPEG", &output, INPUT, &["lossless, hierarchical or arithmetic-coded JPEG"]);
    }
}

/// A PNG of these colours, whose picture is missing: sizes are told before it is.
fn header(width: u32, height: u32, depth: u8, color: u8) -> Vec<u8> {
    let mut file = crate::common::bench::png_header(width, height);
    (file[24], file[25]) = (depth, color);
    let check = crate::common::bench::checksum(&file[12..29]).to_be_bytes();
    file[29..33].copy_from_slice(&check);
    file
}

#[test]
fn the_memory_of_a_picture_is_that_of_its_colours() {
    let bench = exported(|_| ());
    let ask = |file: &str| bench.run(&[&FLOAT[..], &["--image", file, "--prompt", "What?"]].concat());
    for (case, width, height, depth, color, mib) in [
        ("grey", 16384, 16384, 8, 0, 768),
        ("one bit", 16384, 16384, 1, 0, 768),
        ("grey of 16 bits", 16384, 11000, 16, 0, 516),
        ("colours and transparency of 16 bits", 9000, 9000, 16, 6, 618),
    ] {
        bench.write("a.png", header(width, height, depth, color));
        let words = [&format!("it has {width} x {height} pixels, which would take {mib} MiB")[..], "at most 512 MiB"];
        bench.expect(case, &ask("{a.png}"), INPUT, &words);
    }
    // All coefficients of a progressive picture are in memory before it is.
    let mut jpeg = fixture("progressive.jpg");
    let at = jpeg.windows(2).position(|window| window == [0xff, 0xc2]).unwrap();
    jpeg[at + 5..at + 9].copy_from_slice(&[0x27, 0x10, 0x27, 0x10]);
    bench.write("a.jpg", &jpeg);
    bench.expect("progressive", &ask("{a.jpg}"), INPUT, &["it has 10000 x 10000 pixels, which would take 573 MiB"]);
    jpeg[at + 1] = 0xc0;
    bench.write("a.jpg", &jpeg);
    bench.expect("not progressive", &ask("{a.jpg}"), INPUT, &["a.jpg: cannot be read as an image: it "]);
}

/// Warnings of an export with this file beside the weights, as `place: message`.
fn warnings(bench: &Bench, file: &str, contents: &str) -> Vec<String> {
    bench.write(&format!("weights/{file}"), contents);
    let mut args = crate::common::bench::EXPORT;
    args[7] = "{bundle}";
    let output = bench.run(&[&args[..], &["--force"]].concat());
    assert!(output.status.success(), "{contents}: {}", stderr(&output));
    std::fs::remove_file(bench.path(&format!("weights/{file}"))).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&bench.read("bundle/manifest.json")).unwrap();
    warnings_of(&manifest)
}

#[test]
fn a_file_that_prepares_pictures_otherwise_is_contradicted_aloud() {
    let bench = Bench::new();
    // The definition: 128 x 128 pixels, bilinear, from 0 to 1.
    for agreeing in [
        concat!(
            r#"{"do_normalize": false, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "#,
            r#""rescale_factor": 0.00392156862745098}"#,
        ),
        r#"{"image_mean": [0, 0, 0], "image_std": 1.0, "resample": 2, "size": {"height": 128, "width": 128}}"#,
        r#"{"do_rescale": false, "image_mean": [0, 0, 0], "image_std": [255, 255, 255], "resample": "bilinear"}"#,
        r#"{"do_center_crop": false, "do_convert_rgb": true, "do_resize": true, "size": 128, "image_mean": null}"#,
        "{}",
        "[]",
    ] {
        assert_eq!(warnings(&bench, "preprocessor_config.json", agreeing), Vec::<String>::new(), "{agreeing}");
    }
    for (file, contents, words) in [
        (
            "preprocessor_config.json",
            r#"{"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}"#,
            "`image_mean`, `image_std` make -1.000 to 1.000 of red; the definition makes 0.000 to 1.000 of it",
        ),
        (
            "preprocessor_config.json",
            r#"{"do_normalize": true, "image_mean": [0, 0, 0.1], "image_std": [1, 1, 1]}"#,
            "`do_normalize`, `image_mean`, `image_std` make -0.100 to 0.900 of blue",
        ),
        (
            "preprocessor_config.json",
            r#"{"do_normalize": false, "rescale_factor": 0.0078431}"#,
            "make 0.000 to 2.000 of red",
        ),
        ("preprocessor_config.json", r#"{"do_normalize": false, "do_rescale": false}"#, "make 0.000 to 255.000 of red"),
        (
            "preprocessor_config.json",
            r#"{"resample": 3}"#,
            "`resample` is 3 (bicubic); the definition's filter is bilinear",
        ),
        ("preprocessor_config.json", r#"{"resample": "LANCZOS"}"#, "(lanczos)"),
        (
            "preprocessor_config.json",
            r#"{"size": {"height": 128, "width": 256}}"#,
            "`size` is 256 x 128 pixels; the definition's are 128 x 128",
        ),
        ("preprocessor_config.json", r#"{"size": {"shortest_edge": 128}}"#, "128 pixels along one edge"),
        ("preprocessor_config.json", r#"{"do_center_crop": true}"#, "`do_center_crop` cuts the middle out"),
        ("preprocessor_config.json", r#"{"do_convert_rgb": false}"#, "`do_convert_rgb` is false"),
        ("preprocessor_config.json", r#"{"crop_to_patches": true}"#, "`crop_to_patches` cuts a picture into several"),
        (
            "preprocessor_config.json",
            "{\"resample\": 3,",
            "preprocessor_config.json:1: is not compared: is no JSON: EOF",
        ),
        ("processor_config.json", r#"{"image_processor": {"resample": 3}}"#, "processor_config.json: `resample` is 3"),
    ] {
        let made = warnings(&bench, file, contents);
        assert_eq!(made.len(), 1, "{contents}: {made:?}");
        assert!(made[0].contains(words) && made[0].contains(file), "{contents}: {made:?}");
    }
    // The processor's file comes first, and what it does not say of pictures is none of them.
    bench.write("weights/preprocessor_config.json", r#"{"resample": 3}"#);
    let first = warnings(&bench, "processor_config.json", r#"{"image_processor": {"resample": 2}}"#);
    assert_eq!(first, Vec::<String>::new());
    assert_eq!(warnings(&bench, "processor_config.json", r#"{"image_seq_length": 4}"#).len(), 1);
}
