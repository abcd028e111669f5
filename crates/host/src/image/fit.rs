//! How any picture becomes the input of any model, by what a recipe says of it.

use super::resample::Cut;
use autoneural_core::recipe::{Colors, Layout, Preprocess, Size};

/// Rows and columns of an input.
///
/// # Errors
/// It has other axes or sides than the recipe says.
pub(crate) fn sides(preprocess: &Preprocess, shape: &[usize]) -> Result<[usize; 2], String> {
    let sides = preprocess.sides(shape).ok_or_else(|| {
        let (layout, channels) = (preprocess.layout, preprocess.colors.channels());
        let layout = if layout == Layout::Nchw { "[1, C, rows, columns]" } else { "[1, rows, columns, C]" };
        format!("cannot become an input {shape:?}: `[preprocess]` makes {layout} with C = {channels}")
    })?;
    match preprocess.crop {
        Some(crop) if crop != sides => Err(format!("is cropped to {crop:?}; the input has {sides:?}")),
        _ => Ok(sides),
    }
}

/// The part of the resized picture that is the input, around its centre. Sizes are width and height.
///
/// # Errors
/// The resized picture is smaller than the input.
pub(crate) fn cut(preprocess: &Preprocess, picture: (usize, usize), size: (usize, usize)) -> Result<Cut, String> {
    let whole = match preprocess.size {
        None => size,
        Some(Size::Both([rows, columns])) => (columns, rows),
        Some(Size::Shorter(side)) => {
            // As torchvision: the longer side is rounded down.
            let longer = |longer: usize, shorter: usize| side * longer / shorter;
            match picture {
                (width, height) if width <= height => (side, longer(height, width)),
                (width, height) => (longer(width, height), side),
            }
        }
    };
    if whole.0 < size.0 || whole.1 < size.1 {
        let (rows, columns, wanted) = (whole.1, whole.0, [size.1, size.0]);
        return Err(format!("is resized to {rows} x {columns}, from which {wanted:?} cannot be cropped"));
    }
    // As torchvision: half of an odd number is rounded to the even one.
    let before = |whole: usize, size: usize| ((whole - size) as f64 / 2.0).round_ties_even() as usize;
    Ok(Cut { whole, from: (before(whole.0, size.0), before(whole.1, size.1)), size })
}

/// The numbers of an input from red, green and blue of each pixel.
pub(crate) fn values(preprocess: &Preprocess, pixels: &[u8]) -> Vec<f32> {
    let channels = preprocess.colors.channels();
    let number = |channel: usize, code: u8| {
        let (mean, std) = (preprocess.mean.get(channel), preprocess.std.get(channel));
        let scaled = f64::from(code) * preprocess.scale - mean.copied().unwrap_or(0.0);
        (scaled / std.copied().unwrap_or(1.0)) as f32
    };
    // There are 256 codes, and many pixels.
    let tables: Vec<Vec<f32>> =
        (0..channels).map(|channel| (0..=255).map(|code| number(channel, code)).collect()).collect();
    let code = |pixel: &[u8], channel: usize| match preprocess.colors {
        Colors::Rgb => pixel[channel],
        Colors::Bgr => pixel[2 - channel],
        Colors::Grey => grey(pixel),
    };
    let one = |channel: usize, pixel: &[u8]| tables[channel][usize::from(code(pixel, channel))];
    let pixels = pixels.chunks_exact(3);
    match preprocess.layout {
        Layout::Nchw => (0..channels)
            .flat_map(|channel| pixels.clone().map(move |pixel| (channel, pixel)))
            .map(|(c, p)| one(c, p))
            .collect(),
        Layout::Nhwc => pixels
            .flat_map(|pixel| (0..channels).map(move |channel| (channel, pixel)))
            .map(|(c, p)| one(c, p))
            .collect(),
    }
}

/// Brightness, as Pillow's `convert("L")` computes it.
fn grey(pixel: &[u8]) -> u8 {
    let [r, g, b] = [pixel[0], pixel[1], pixel[2]].map(u32::from);
    ((r * 19595 + g * 38470 + b * 7471 + (1 << 15)) >> 16) as u8
}

#[cfg(test)]
mod tests {
    use super::super::picture::{Layout as Pixels, Picture};
    use super::super::resample::resample;
    use super::super::turn::Orientation;
    use super::*;
    use autoneural_core::recipe::Resize;

    fn preprocess(shape: &[usize]) -> Preprocess {
        Preprocess::guess(shape).unwrap()
    }

    #[test]
    fn the_middle_is_cut_out_as_torchvision_does_it() {
        let made = Preprocess { size: Some(Size::Shorter(256)), ..preprocess(&[1, 3, 224, 224]) };
        // transforms.Resize(256) of 500 x 375 gives 341 x 256; CenterCrop(224) begins at round(58.5) and 16.
        let found = cut(&made, (500, 375), (224, 224)).unwrap();
        assert_eq!(found, Cut { whole: (341, 256), from: (58, 16), size: (224, 224) });
        let tall = cut(&made, (16, 16384), (224, 224)).unwrap();
        assert_eq!((tall.whole, tall.size), ((256, 262144), (224, 224)));
        let small = Preprocess { size: Some(Size::Both([200, 300])), ..made };
        assert!(cut(&small, (500, 375), (224, 224)).unwrap_err().contains("200 x 300"));
        assert!(sides(&small, &[1, 224, 224, 3]).unwrap_err().contains("C = 3"));
        assert!(sides(&small, &[1, 3, 224, 225]).unwrap_err().contains("cropped to [224, 224]"));
    }

    /// What is cut out has the pixels that it has in the whole.
    #[test]
    fn a_part_is_that_of_the_whole() {
        let (width, height) = (40u32, 90u32);
        let pixels = (0..width * height * 3).map(|at| (at * 7919 % 251) as u8).collect();
        let picture = Picture { width, height, layout: Pixels::Rgb, pixels, turn: Orientation::default() };
        for (filter, whole) in [(Resize::Bilinear, (17, 38)), (Resize::Bicubic, (80, 20)), (Resize::Bicubic, (40, 90))]
        {
            let all = resample(&picture, Cut::whole(whole.0, whole.1), filter);
            let (from, size) = ((3, 5), (11, 9));
            let part = resample(&picture, Cut { whole, from, size }, filter);
            for (y, row) in part.chunks_exact(3 * size.0).enumerate() {
                let begin = 3 * ((from.1 + y) * whole.0 + from.0);
                assert_eq!(row, &all[begin..begin + row.len()], "{filter:?} {whole:?} row {y}");
            }
        }
    }

    #[test]
    fn colours_axes_and_numbers_are_as_stated() {
        let pixels = [255, 0, 51, 0, 102, 0];
        let plain = preprocess(&[1, 1, 2, 3]);
        let bgr = Preprocess { colors: Colors::Bgr, scale: 1.0, mean: vec![1.0, 2.0, 3.0], std: vec![2.0; 3], ..plain };
        assert_eq!(values(&bgr, &pixels), [25.0, -0.5, -1.0, 50.0, 126.0, -1.5]);
        let last = Preprocess { layout: Layout::Nhwc, ..bgr };
        assert_eq!(values(&last, &pixels), [25.0, -1.0, 126.0, -0.5, 50.0, -1.5]);
        // Image.new("RGB", (1, 1), (255, 0, 51)).convert("L") is 82.
        let grey = Preprocess { colors: Colors::Grey, scale: 1.0, mean: vec![], std: vec![], ..last };
        assert_eq!(values(&grey, &pixels), [82.0, 60.0]);
    }
}
