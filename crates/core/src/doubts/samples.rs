//! Samples that show little: the same ones again, pictures of one colour, arrays of one number, a single sample.

use serde::{Deserialize, Serialize};

use autoneural_base::text::listed;
use autoneural_base::warning::Warning;

/// What a sample shows an input, in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// What is filled: an input of a graph, or a picture.
    pub input: String,
    /// Hash of the contents.
    pub digest: String,
    /// What all of its numbers are, if they are the same; `None` also for what is meant to be so, as integers are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flat: Option<Flat>,
}

/// Contents that are the same everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flat {
    /// Every number is 0.
    Zero,
    /// Every number is the same, or every one of a channel.
    Even,
}

/// A sample, by what it shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// Arrays and pictures.
    pub shown: Vec<Shown>,
    /// What is asked, where the model is asked in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<String>,
}

/// Fewest numbers of which it means something that all are the same.
const FEWEST: usize = 16;
/// Most channels of a picture.
const MOST_CHANNELS: usize = 4;

impl Flat {
    /// Whether numbers, row-major in a shape, are the same everywhere. Of a picture, `[1, C, rows, columns]` or
    /// `[1, rows, columns, C]`, each channel may have its own number.
    pub fn of(values: &[f32], shape: &[usize]) -> Option<Self> {
        let is_one = |values: &[f32]| values.iter().all(|value| *value == values[0]);
        if values.len() < FEWEST {
            return None;
        }
        if is_one(values) {
            return Some(if values[0] == 0.0 { Flat::Zero } else { Flat::Even });
        }
        let [1, first, _, last] = *shape else { return None };
        let in_planes = first <= MOST_CHANNELS && values.chunks(values.len() / first.max(1)).all(is_one);
        let by_pixel = last <= MOST_CHANNELS && values.chunks(last.max(1)).all(|pixel| *pixel == values[..last]);
        (in_planes || by_pixel).then_some(Flat::Even)
    }
}

impl Look {
    /// What the sample is, if there is nothing in it to see.
    fn flat(&self) -> Option<Flat> {
        let all: Vec<Flat> = self.shown.iter().filter_map(|shown| shown.flat).collect();
        let is_whole = !all.is_empty() && all.len() == self.shown.len();
        is_whole.then(|| if all.contains(&Flat::Even) { Flat::Even } else { Flat::Zero })
    }
}

fn title(list: &str, at: usize) -> String {
    format!("{list}[{at}]")
}

/// Warnings about the samples of a list of the recipe, `calibration` or `verification`, which stand at `place`.
pub fn of_samples(looks: &[Look], list: &str, place: &str, stage: &str) -> Vec<Warning> {
    let mut made = Vec::new();
    let is_calibration = list == "calibration";
    if looks.len() == 1 && is_calibration {
        let message =
            "one sample calibrates: every range is what this sample alone needs, and no other sample was asked";
        made.push((message.to_string(), "give some dozens of samples that differ as those of the model's use do"));
    }
    for (kind, words) in [(Flat::Zero, "zero"), (Flat::Even, "of one colour or number")] {
        let names: Vec<String> =
            (0..looks.len()).filter(|at| looks[*at].flat() == Some(kind)).map(|at| title(list, at)).collect();
        let message = match names.len() {
            0 => continue,
            all if all == looks.len() && all > 1 => format!("all {all} samples are {words} throughout"),
            1 => format!("{} is {words} throughout", names[0]),
            some => format!("{some} of {} samples are {words} throughout: {}", looks.len(), listed(&names)),
        };
        made.push((message, "look at the files; leave out samples that show nothing the model is used for"));
    }
    // The place of the first sample that shows the same.
    let first = |at: usize| looks[..at].iter().position(|other| *other == looks[at]);
    let again: Vec<(usize, usize)> = (1..looks.len()).filter_map(|at| Some((at, first(at)?))).collect();
    let pairs: Vec<String> =
        again.iter().map(|(at, first)| format!("{} is {}", title(list, *at), title(list, *first))).collect();
    if !again.is_empty() {
        let message = match again.len() + 1 == looks.len() && again.iter().all(|(_, first)| *first == 0) {
            true => format!("all {} samples are the same", looks.len()),
            false => format!("{} of {} samples repeat others: {}", again.len(), looks.len(), listed(&pairs)),
        };
        let help = if is_calibration {
            "ranges become no better by them: give samples that differ"
        } else {
            "they count more than once in every figure: give samples that differ"
        };
        made.push((message, help));
    }
    made.into_iter().map(|(message, help)| Warning::new(stage, place, message).help(help)).collect()
}

/// A warning about samples that judge and calibrate.
pub fn of_overlap(calibrating: &[Look], judging: &[Look], place: &str, stage: &str) -> Option<Warning> {
    let first = |look: &Look| calibrating.iter().position(|other| other == look);
    let pairs: Vec<String> = judging
        .iter()
        .enumerate()
        .filter_map(|(at, look)| {
            Some(format!("{} is {}", title("verification", at), title("calibration", first(look)?)))
        })
        .collect();
    let message = format!("{} of {} samples that judge also calibrate: {}", pairs.len(), judging.len(), listed(&pairs));
    let help = "ranges fit them, so their figures are better than those of other samples: judge on others";
    (!pairs.is_empty()).then(|| Warning::new(stage, place, message).help(help))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(digest: &str, flat: Option<Flat>) -> Look {
        Look { shown: vec![Shown { input: "x".into(), digest: digest.into(), flat }], words: None }
    }

    fn said(looks: &[Look]) -> Vec<String> {
        of_samples(looks, "calibration", "here", "calibrate").into_iter().map(|one| one.message).collect()
    }

    #[test]
    fn what_is_the_same_everywhere_is_flat() {
        assert_eq!(Flat::of(&[0.0; 16], &[16]), Some(Flat::Zero));
        assert_eq!(Flat::of(&[-0.5; 16], &[4, 4]), Some(Flat::Even));
        assert_eq!(Flat::of(&[1.0; 15], &[15]), None);
        let planes: Vec<f32> = (0..48).map(|at| (at / 16) as f32).collect();
        assert_eq!(Flat::of(&planes, &[1, 3, 4, 4]), Some(Flat::Even));
        assert_eq!(Flat::of(&planes, &[3, 16]), None);
        let pixels: Vec<f32> = (0..48).map(|at| (at % 3) as f32).collect();
        assert_eq!(Flat::of(&pixels, &[1, 4, 4, 3]), Some(Flat::Even));
        assert_eq!(Flat::of(&pixels, &[1, 3, 4, 4]), None);
    }

    #[test]
    fn samples_that_differ_are_not_spoken_of() {
        assert!(said(&[look("a", None), look("b", None)]).is_empty());
        // What stands beside something flat may be all that varies.
        let mut both = look("a", Some(Flat::Zero));
        both.shown.push(Shown { input: "y".into(), digest: "b".into(), flat: None });
        assert!(said(&[both, look("b", None)]).is_empty());
    }

    #[test]
    fn samples_that_show_little_are_named() {
        assert!(said(&[look("a", None)])[0].starts_with("one sample calibrates"));
        assert!(of_samples(&[look("a", None)], "verification", "", "verify").is_empty());
        let zeros = [look("a", None), look("0", Some(Flat::Zero)), look("1", Some(Flat::Even))];
        assert_eq!(
            said(&zeros),
            ["calibration[1] is zero throughout", "calibration[2] is of one colour or number throughout"]
        );
        let all = said(&[look("0", Some(Flat::Zero)), look("0", Some(Flat::Zero))]);
        assert_eq!(all, ["all 2 samples are zero throughout", "all 2 samples are the same"]);
        let again: Vec<Look> = (0..7).map(|at| look(if at < 2 { "a" } else { ["b", "c"][at % 2] }, None)).collect();
        assert_eq!(
            said(&again),
            ["4 of 7 samples repeat others: calibration[1] is calibration[0], calibration[4] is calibration[2], \
              calibration[5] is calibration[3], calibration[6] is calibration[2]"]
        );
    }

    #[test]
    fn samples_that_judge_what_they_calibrated_are_named() {
        let (own, others) = ([look("a", None), look("b", None)], [look("c", None), look("b", None)]);
        let said = of_overlap(&own, &others, "here", "verify").unwrap();
        assert_eq!(said.message, "1 of 2 samples that judge also calibrate: verification[1] is calibration[1]");
        assert_eq!(of_overlap(&own, &others[..1], "here", "verify"), None);
    }
}
