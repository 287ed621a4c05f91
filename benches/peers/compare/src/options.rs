use std::{error::Error, path::PathBuf, process, str::FromStr};

pub(crate) struct Options {
    /// How often each participant's turn comes.
    pub(crate) rounds: usize,
    /// How long a turn takes.
    pub(crate) milliseconds: u64,
    /// How many different good tokens there are.
    pub(crate) pool: usize,
    pub(crate) chart: Option<PathBuf>,
    pub(crate) small: Option<PathBuf>,
    /// Where the numbers go, as CSV.
    pub(crate) out: Option<PathBuf>,
}

impl Options {
    pub(crate) fn read(
        mut arguments: impl Iterator<Item = String>,
    ) -> Result<Self, Box<dyn Error>> {
        let mut options = Self {
            rounds: 25,
            milliseconds: 150,
            pool: 20_000,
            chart: None,
            small: None,
            out: None,
        };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} wants a value"));
            match argument.as_str() {
                "--quick" => (options.rounds, options.milliseconds, options.pool) = (3, 20, 2_000),
                "--rounds" => options.rounds = number(&value()?)?,
                "--milliseconds" => options.milliseconds = number(&value()?)?,
                "--pool" => options.pool = number(&value()?)?,
                "--chart" => options.chart = Some(value()?.into()),
                "--small" => options.small = Some(value()?.into()),
                "--out" => options.out = Some(value()?.into()),
                "--help" => {
                    println!("{USAGE}");
                    process::exit(0);
                }
                _ => return Err(format!("{argument} is unknown\n\n{USAGE}").into()),
            }
        }
        if options.rounds == 0 || options.milliseconds == 0 || options.pool == 0 {
            return Err("a number must not be 0".into());
        }
        Ok(options)
    }
}

fn number<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text:?} is no number"))
}

const USAGE: &str = "\
usage: benches/peers/run [OPTION]...

  --quick           3 rounds of 20 ms, 2000 tokens: to see that it works
  --rounds N        how often each participant's turn comes (25)
  --milliseconds N  how long a turn takes (150)
  --pool N          how many different good tokens there are (20000)
  --chart PATH      draw the least times there (docs/peers.svg; not with --quick)
  --small PATH      draw five of them there (docs/peers-small.svg; not with --quick)
  --out PATH        write the numbers there, as CSV";
