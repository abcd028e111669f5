//! What `compile` and `verify` compare, and when the figures are good enough.

use autoneural::drivers::GoldenExtent;
use autoneural::front::GRAPHS;
use autoneural::program::Program;
use autoneural::stages::Comparing;
use autoneural::verify::{Extent, On};
use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Args, ValueEnum};

use super::decibels::decibels;
use super::session::Session;
use super::suggested::Suggested;

/// When a verification is good enough.
#[derive(Args)]
pub struct DemandArgs {
    /// Fail if the vendor toolkit is missing, in place of leaving out what needs it.
    #[arg(long)]
    pub require_npu: bool,
    /// What is compared with float: `all`, `none`, `sampled`, names of partitions, or several with commas between them.
    ///
    /// It is compared in simulation and on the NPU or its emulator, which takes minutes for one step of a large model.
    /// `sampled` takes the first picture, and of every prompt the last prefill step and the first token after it.
    #[arg(long = "verify", value_name = "WHAT", default_value = "all", value_parser = extents())]
    extent: Extent,
    /// Engines on which every operator is compared with float, too.
    ///
    /// One step of each partition is measured: the first picture, the last prefill step of its prompt, the first token
    /// after it. The graph is split so that every intermediate value can be read; it takes as long as the step does.
    /// With names of partitions in --verify only these are measured.
    #[arg(long, value_name = "ENGINE", default_value = "none", value_enum)]
    layers: LayersOn,
    /// Engines for the golden vectors, which show whoever writes a host one prompt of verification step by step, as
    /// integers.
    ///
    /// `npu` makes them in simulation and on the NPU. Without the option: `npu` where --verify compares all,
    /// `simulated` where it compares a part, none where it compares nothing. Those that are there stay as long as what
    /// they were made with is the same.
    #[arg(long, value_name = "ENGINE", value_enum)]
    golden: Option<GoldenOn>,
    /// Accept outputs where simulation and NPU are at most this many dB apart; at 3 dB one has twice the noise of the
    /// other.
    #[arg(long, value_name = "DB", default_value_t = 3.0, value_parser = decibels)]
    max_difference: f64,
    /// Accept any difference to simulation where the NPU reaches this many dB against float (30 dB: an error of 3 %).
    #[arg(long, value_name = "DB", default_value_t = 30.0, value_parser = decibels)]
    enough: f64,
    /// Fail if an output is below this many dB against float, on the NPU where it runs there. Goals that stay with the
    /// model are in the recipe, in the table `[goal]`.
    #[arg(long, value_name = "DB", value_parser = decibels)]
    min_sqnr: Option<f64>,
}

/// Names that `--verify` takes.
fn extents() -> impl TypedValueParser<Value = Extent> {
    Suggested::new(Extent::parse, || ["all", "none", "sampled"].into_iter().chain(GRAPHS).collect())
}

/// Where layers are measured.
#[derive(Clone, Copy, ValueEnum)]
enum LayersOn {
    /// On none.
    None,
    /// In simulation.
    Simulated,
    /// In simulation and on the NPU or its emulator.
    Npu,
}

/// Where golden vectors are made.
#[derive(Clone, Copy, ValueEnum)]
enum GoldenOn {
    /// Nowhere.
    None,
    /// In simulation.
    Simulated,
    /// In simulation and on the NPU.
    Npu,
}

impl DemandArgs {
    /// Ends the program where `--verify` names what the program does not have, as other wrong arguments do.
    pub fn refuse_unknown(&self, program: &Program, session: &Session) {
        if let Err(message) = self.extent.refuse_unknown(program) {
            let message = format!("invalid value for '--verify <WHAT>': {message}");
            session.refuse_usage(ErrorKind::InvalidValue, &message);
        }
    }

    /// What is compared, and when it is good enough.
    pub fn comparing(&self) -> Comparing<'_> {
        let layers: &[On] = match self.layers {
            LayersOn::None => &[],
            LayersOn::Simulated => &[On::Simulation],
            LayersOn::Npu => &[On::Simulation, On::Npu],
        };
        let demands = autoneural::report::Demands {
            max_difference_db: self.max_difference,
            enough_db: self.enough,
            min_sqnr_db: self.min_sqnr,
        };
        let golden = self.golden.map(|on| match on {
            GoldenOn::None => GoldenExtent::None,
            GoldenOn::Simulated => GoldenExtent::Simulated,
            GoldenOn::Npu => GoldenExtent::Npu,
        });
        Comparing { extent: &self.extent, layers, golden, demands }
    }
}
