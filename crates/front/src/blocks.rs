//! timm's block notation (`uir_r1_a3_k5_s2_e6_c256`) as typed blocks.

/// Most blocks of one encoder; the largest known has less than a tenth of them.
const MOST_BLOCKS: usize = 4096;

/// One block of the vision encoder.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// Edge residual: a full convolution that expands, then a pointwise one.
    EdgeResidual {
        /// Kernel of the expanding convolution.
        kernel: usize,
        /// Step of the expanding convolution.
        stride: usize,
        /// Expansion factor.
        expansion: f64,
        /// Output channels.
        channels: usize,
    },
    /// Universal inverted residual (Qin et al., MobileNetV4, arXiv 2404.10518).
    UniversalInvertedResidual {
        /// Kernel of the depthwise convolution before the expansion; 0 for none.
        start_kernel: usize,
        /// Kernel of the depthwise convolution after the expansion; 0 for none.
        mid_kernel: usize,
        /// Step of the block.
        stride: usize,
        /// Expansion factor.
        expansion: f64,
        /// Output channels.
        channels: usize,
    },
    /// Mobile multi-query attention (the same paper).
    MultiQueryAttention {
        /// Kernel of the key and value downsampling.
        kernel: usize,
        /// Query heads.
        heads: usize,
        /// Size of a head.
        head_dim: usize,
        /// Step of the key and value downsampling; 1 for none.
        kv_stride: usize,
        /// Output channels.
        channels: usize,
    },
}

impl Block {
    /// Step of the block along height and width.
    pub fn stride(&self) -> usize {
        match self {
            Block::EdgeResidual { stride, .. } | Block::UniversalInvertedResidual { stride, .. } => *stride,
            Block::MultiQueryAttention { .. } => 1,
        }
    }
}

/// Parses the blocks of all stages. A block with repeats becomes several.
///
/// # Errors
/// A stage has no block, a block is malformed, or there are too many; the error names the block.
pub(crate) fn parse_stages(stages: &[Vec<String>]) -> Result<Vec<Vec<Block>>, String> {
    if stages.is_empty() || stages.iter().any(Vec::is_empty) {
        return Err("every stage needs at least one block".into());
    }
    let mut total = 0;
    let parse_stage = |stage: &Vec<String>| {
        let mut blocks = Vec::new();
        for text in stage {
            let (block, repeats) = parse_block(text).map_err(|message| format!("`{text}`: {message}"))?;
            total += repeats;
            if total > MOST_BLOCKS {
                return Err(format!("`{text}`: with it there are {total} blocks; at most {MOST_BLOCKS} are built"));
            }
            // timm gives the stride to the first repeat only.
            blocks.push(block.clone());
            blocks.extend(std::iter::repeat_n(with_stride_one(block), repeats - 1));
        }
        Ok(blocks)
    };
    stages.iter().map(parse_stage).collect()
}

fn with_stride_one(mut block: Block) -> Block {
    match &mut block {
        Block::EdgeResidual { stride, .. } | Block::UniversalInvertedResidual { stride, .. } => *stride = 1,
        Block::MultiQueryAttention { .. } => {}
    }
    block
}

fn parse_block(text: &str) -> Result<(Block, usize), String> {
    let mut fields = text.split('_');
    let kind = fields.next().unwrap_or_default();
    let mut values: Vec<(char, f64)> = Vec::new();
    for field in fields {
        let mut characters = field.chars();
        let Some(key) = characters.next() else { return Err("an empty field".into()) };
        let number: f64 = characters.as_str().parse().map_err(|_| format!("`{field}` is no letter with a number"))?;
        if !(0.0..=65536.0).contains(&number) {
            return Err(format!("`{field}` is out of range"));
        }
        if values.iter().any(|(known, _)| *known == key) {
            return Err(format!("`{key}` is given twice"));
        }
        values.push((key, number));
    }
    let mut take = |key: char, default: Option<f64>| -> Result<f64, String> {
        match values.iter().position(|(known, _)| *known == key) {
            Some(at) => Ok(values.swap_remove(at).1),
            None => default.ok_or_else(|| format!("`{key}` is missing")),
        }
    };
    let whole = |value: f64, key: char, least: usize| -> Result<usize, String> {
        if value.fract() != 0.0 || value < least as f64 {
            return Err(format!("`{key}{value}` must be a whole number of at least {least}"));
        }
        Ok(value as usize)
    };
    let odd = |kernel: usize, key: char| {
        if kernel != 0 && kernel.is_multiple_of(2) {
            return Err(format!("`{key}{kernel}`: kernels are odd"));
        }
        Ok(kernel)
    };
    let repeats = whole(take('r', Some(1.0))?, 'r', 1)?;
    if repeats > 1024 {
        return Err(format!("`r{repeats}`: at most 1024 repeats"));
    }
    let stride = whole(take('s', Some(1.0))?, 's', 1)?;
    let channels = whole(take('c', None)?, 'c', 1)?;
    let block = match kind {
        "er" => {
            let kernel = odd(whole(take('k', Some(3.0))?, 'k', 1)?, 'k')?;
            Block::EdgeResidual { kernel, stride, expansion: take('e', Some(1.0))?, channels }
        }
        "uir" => {
            let start_kernel = odd(whole(take('a', Some(0.0))?, 'a', 0)?, 'a')?;
            let mid_kernel = odd(whole(take('k', None)?, 'k', 0)?, 'k')?;
            if stride > 1 && start_kernel == 0 && mid_kernel == 0 {
                return Err("a stride needs a depthwise convolution".into());
            }
            let expansion = take('e', Some(1.0))?;
            Block::UniversalInvertedResidual { start_kernel, mid_kernel, stride, expansion, channels }
        }
        "mqa" => {
            if stride != 1 {
                return Err("an attention block has stride 1".into());
            }
            Block::MultiQueryAttention {
                kernel: odd(whole(take('k', Some(3.0))?, 'k', 1)?, 'k')?,
                heads: whole(take('h', None)?, 'h', 1)?,
                head_dim: whole(take('d', None)?, 'd', 1)?,
                kv_stride: whole(take('v', Some(1.0))?, 'v', 1)?,
                channels,
            }
        }
        _ => return Err(format!("block kind `{kind}` is not known; er, uir and mqa are")),
    };
    match values.first() {
        Some((key, _)) => Err(format!("`{key}` means nothing to a `{kind}` block")),
        None => Ok((block, repeats)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notation_of_timm_is_read() {
        let (block, repeats) = parse_block("uir_r2_a3_k5_s2_e6_c256").unwrap();
        let wanted = Block::UniversalInvertedResidual {
            start_kernel: 3,
            mid_kernel: 5,
            stride: 2,
            expansion: 6.0,
            channels: 256,
        };
        assert_eq!((block, repeats), (wanted, 2));
        let (block, _) = parse_block("mqa_r1_k3_h12_v2_s1_d64_c640").unwrap();
        let wanted = Block::MultiQueryAttention { kernel: 3, heads: 12, head_dim: 64, kv_stride: 2, channels: 640 };
        assert_eq!(block, wanted);
    }

    #[test]
    fn only_the_first_repeat_has_the_stride() {
        let stages = parse_stages(&[vec!["er_r3_k3_s2_e4_c24".into()]]).unwrap();
        assert_eq!(stages[0].iter().map(Block::stride).collect::<Vec<_>>(), [2, 1, 1]);
    }

    #[test]
    fn wrong_notation_says_what_is_wrong() {
        for (text, wanted) in [
            ("foo_c3", "not known"),
            ("er_k3", "`c` is missing"),
            ("er_k4_c8", "odd"),
            ("er_kx_c8", "no letter with a number"),
            ("uir_k0_s2_c8", "needs a depthwise"),
            ("uir_k3_c8_h4", "means nothing"),
            ("uir_k3_k3_c8", "given twice"),
            ("er_c0", "at least 1"),
            ("er_r9999_c8", "at most 1024"),
            ("er_r1000_c8", "5000 blocks"),
        ] {
            let error = parse_stages(&[vec![text.to_string(); 5]]).unwrap_err();
            assert!(error.contains(wanted), "{text}: {error}");
        }
    }
}
