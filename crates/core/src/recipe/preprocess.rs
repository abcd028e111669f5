//! How pictures become the array that an input takes: the table `[preprocess.INPUT]` of a recipe.

use serde::Deserialize;

/// Image filters for resizing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resize {
    /// Bilinear with antialiasing, as Pillow's `BILINEAR`.
    #[default]
    Bilinear,
    /// Bicubic with antialiasing, as Pillow's `BICUBIC`.
    Bicubic,
}

impl Resize {
    /// Its name in files.
    pub fn name(self) -> &'static str {
        match self {
            Resize::Bilinear => "bilinear",
            Resize::Bicubic => "bicubic",
        }
    }
}

/// What a picture is resized to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Size {
    /// Its shorter side gets this many pixels, and its aspect ratio is kept.
    Shorter(usize),
    /// It gets this many rows and columns, whatever its aspect ratio was.
    Both([usize; 2]),
}

/// The order of an input's axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Layout {
    /// `[N, C, H, W]`: channels before rows.
    #[serde(rename = "NCHW")]
    Nchw,
    /// `[N, H, W, C]`: channels after columns.
    #[serde(rename = "NHWC")]
    Nhwc,
}

/// What an input's channels are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Colors {
    /// Red, green, blue.
    Rgb,
    /// Blue, green, red.
    Bgr,
    /// One: brightness, `(299 R + 587 G + 114 B) / 1000`.
    Grey,
}

impl Colors {
    /// How many channels these are.
    pub fn channels(self) -> usize {
        if self == Colors::Grey { 1 } else { 3 }
    }
}

/// How a picture becomes an input: it is turned upright, resized to `size`, and cropped around its centre to `crop`.
/// Then each number of a channel (0 to 255) becomes `(number * scale - mean) / std`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocess {
    /// What the picture is resized to; the same as `crop` if not given.
    pub size: Option<Size>,
    /// Rows and columns that are cut out; those of the input if not given.
    pub crop: Option<[usize; 2]>,
    /// Filter of the resize.
    #[serde(default)]
    pub resize: Resize,
    /// Order of the axes.
    pub layout: Layout,
    /// Order of the channels.
    pub colors: Colors,
    /// What the numbers of the picture are multiplied by.
    pub scale: f64,
    /// What is subtracted after that, for each channel in the input's order; nothing if not given.
    #[serde(default)]
    pub mean: Vec<f64>,
    /// What the result is divided by, for each channel in the input's order; 1 if not given.
    #[serde(default)]
    pub std: Vec<f64>,
}

/// Most pixels on one side.
const MOST_PIXELS: usize = 16384;

/// Mean and standard deviation of ImageNet's pictures, in red, green and blue.
const IMAGENET: [[f64; 3]; 2] = [[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]];

impl Preprocess {
    /// Refuses numbers that are impossible. The error is the key, and what is wrong with it.
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        let sides = match self.size {
            Some(Size::Shorter(side)) => vec![("size", side)],
            Some(Size::Both(sides)) => sides.map(|side| ("size", side)).to_vec(),
            None => vec![],
        };
        let crop = self.crop.iter().flatten().map(|&side| ("crop", side));
        if let Some((key, side)) = sides.into_iter().chain(crop).find(|(_, side)| !(1..=MOST_PIXELS).contains(side)) {
            return Err((key, format!("{side} pixels are impossible; 1 to {MOST_PIXELS} are")));
        }
        if !self.scale.is_finite() || self.scale == 0.0 {
            return Err(("scale", format!("{} makes nothing of a picture", self.scale)));
        }
        let channels = self.colors.channels();
        for (key, values) in [("mean", &self.mean), ("std", &self.std)] {
            if !values.is_empty() && values.len() != channels {
                return Err((key, format!("has {} numbers, for {channels} channels", values.len())));
            }
            let is_wrong = |value: &&f64| !value.is_finite() || key == "std" && **value <= 0.0;
            if let Some(value) = values.iter().find(is_wrong) {
                return Err((key, format!("{value} is impossible")));
            }
        }
        Ok(())
    }

    /// A guess for an input of this shape, for models that do not state their preprocessing; `None` if the shape is not
    /// that of pictures. If there are three channels and they come first, the picture is RGB and normalized by
    /// ImageNet's mean and deviation, as most models from PyTorch need it; otherwise its numbers are from 0 to 1. For a
    /// square input, a square is cut out of the middle; for other shapes the whole picture is resized.
    pub fn guess(shape: &[usize]) -> Option<Self> {
        let (layout, channels) = match shape {
            [1, channels @ (1 | 3), _, _] => (Layout::Nchw, *channels),
            [1, _, _, channels @ (1 | 3)] => (Layout::Nhwc, *channels),
            _ => return None,
        };
        let colors = if channels == 1 { Colors::Grey } else { Colors::Rgb };
        let [mean, std] = match (layout, colors) {
            (Layout::Nchw, Colors::Rgb) => IMAGENET.map(|values| values.to_vec()),
            _ => [vec![], vec![]],
        };
        let made = Preprocess {
            size: None,
            crop: None,
            resize: Resize::default(),
            layout,
            colors,
            scale: 1.0 / 255.0,
            mean,
            std,
        };
        let sides @ [rows, columns] = made.sides(shape)?;
        let size = if rows == columns { Size::Shorter(rows) } else { Size::Both(sides) };
        Some(Preprocess { size: Some(size), crop: Some(sides), ..made })
    }

    /// Rows and columns of an input of this shape; `None` if the shape has another number of axes or channels.
    pub fn sides(&self, shape: &[usize]) -> Option<[usize; 2]> {
        let (channels, sides) = match (self.layout, shape) {
            (Layout::Nchw, &[1, channels, rows, columns]) => (channels, [rows, columns]),
            (Layout::Nhwc, &[1, rows, columns, channels]) => (channels, [rows, columns]),
            _ => return None,
        };
        (channels == self.colors.channels()).then_some(sides)
    }

    /// The table as a recipe has it, for the input of this name.
    pub fn text(&self, name: &str) -> String {
        let mut lines = vec![format!("[preprocess.{}]", quoted(name))];
        match self.size {
            Some(Size::Shorter(side)) => lines.push(format!("size = {side}")),
            Some(Size::Both(sides)) => lines.push(format!("size = {sides:?}")),
            None => {}
        }
        lines.extend(self.crop.map(|sides| format!("crop = {sides:?}")));
        lines.push(format!("resize = \"{}\"", self.resize.name()));
        let layout = if self.layout == Layout::Nchw { "NCHW" } else { "NHWC" };
        lines.push(format!("layout = \"{layout}\""));
        let colors = match self.colors {
            Colors::Rgb => "RGB",
            Colors::Bgr => "BGR",
            Colors::Grey => "GREY",
        };
        lines.push(format!("colors = \"{colors}\""));
        lines.push(format!("scale = {:?}", self.scale));
        let lists = [("mean", &self.mean), ("std", &self.std)];
        lines.extend(lists.iter().filter(|(_, list)| !list.is_empty()).map(|(key, list)| format!("{key} = {list:?}")));
        lines.join("\n") + "\n"
    }

    /// What it does, in a few words for the user.
    pub fn words(&self) -> String {
        let size = match self.size {
            Some(Size::Shorter(side)) => format!("shorter side resized to {side}"),
            Some(Size::Both([rows, columns])) => format!("resized to {rows} x {columns}"),
            None => "resized".to_string(),
        };
        let crop = self.crop.map_or(String::new(), |[rows, columns]| format!(", centre {rows} x {columns} cropped"));
        let colors = match self.colors {
            Colors::Rgb => "RGB",
            Colors::Bgr => "BGR",
            Colors::Grey => "grey",
        };
        let by = match (self.mean.is_empty(), self.std.is_empty()) {
            (true, true) => String::new(),
            _ => format!(", mean {:?} and deviation {:?}", self.mean, self.std),
        };
        let scale = match self.scale {
            scale if scale == 1.0 / 255.0 => "divided by 255".to_string(),
            scale => format!("times {scale}"),
        };
        format!("{size}{crop}, {colors}, {scale}{by}")
    }
}

/// A text as a quoted key or string of TOML.
pub fn quoted(text: &str) -> String {
    let mut made = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => made.extend(['\\', character]),
            character if character.is_control() => made.push_str(&format!("\\u{:04X}", u32::from(character))),
            character => made.push(character),
        }
    }
    made.push('"');
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guess_fits_its_input_and_is_read_as_it_is_written() {
        for (shape, words) in [
            (vec![1, 3, 224, 320], "RGB, divided by 255, mean"),
            (vec![1, 192, 192, 3], "RGB, divided by 255"),
            (vec![1, 1, 48, 320], "grey"),
        ] {
            let guess = Preprocess::guess(&shape).unwrap();
            assert!(guess.check().is_ok() && guess.words().contains(words), "{}", guess.words());
            assert_eq!(guess.sides(&shape), guess.crop);
            let text = guess.text("a \"b\"").replacen("[preprocess.\"a \\\"b\\\"\"]\n", "", 1);
            assert_eq!(toml::from_str::<Preprocess>(&text).unwrap(), guess, "{text}");
        }
        for shape in [vec![1, 8, 32], vec![1, 4, 8, 8], vec![2, 3, 8, 8]] {
            assert_eq!(Preprocess::guess(&shape), None);
        }
    }

    #[test]
    fn what_no_picture_could_go_through_is_refused() {
        let sound = Preprocess::guess(&[1, 3, 8, 8]).unwrap();
        let wrong = |change: fn(&mut Preprocess)| {
            let mut made = sound.clone();
            change(&mut made);
            made.check().unwrap_err().0
        };
        assert_eq!(wrong(|made| made.size = Some(Size::Shorter(0))), "size");
        assert_eq!(wrong(|made| made.crop = Some([8, 1 << 20])), "crop");
        assert_eq!(wrong(|made| made.scale = f64::NAN), "scale");
        assert_eq!(wrong(|made| made.mean = vec![0.5]), "mean");
        assert_eq!(wrong(|made| made.std = vec![1.0, 0.0, 1.0]), "std");
    }

    #[test]
    fn names_are_quoted() {
        assert_eq!(quoted("a\"b\\c\nd"), "\"a\\\"b\\\\c\\u000Ad\"");
    }
}
