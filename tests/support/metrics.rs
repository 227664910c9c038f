//! Reads the Prometheus text format.

/// One sample: its name, its labels, its value.
#[derive(Debug, Clone)]
pub struct Sample {
    pub name: String,
    pub labels: Vec<(String, String)>,
    pub value: f64,
}

impl Sample {
    /// Whether it has this name and, among others, all of these labels.
    pub fn matches(&self, name: &str, labels: &[(&str, &str)]) -> bool {
        let has = |(key, value): &(&str, &str)| self.labels.iter().any(|(k, v)| k == key && v == value);
        self.name == name && labels.iter().all(has)
    }
}

/// Every sample of an exposition. Label values here hold no commas, quotes or braces.
pub fn parse(text: &str) -> Vec<Sample> {
    let sample = |line: &str| {
        let (series, value) = line.rsplit_once(' ').expect("a sample is a series and a value");
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let pair = |pair: &str| {
            let (key, value) = pair.split_once('=').expect("a label is a name and a value");
            (key.to_owned(), value.trim_matches('"').to_owned())
        };
        Sample {
            name: name.into(),
            labels: labels.trim_end_matches('}').split(',').filter(|pair| !pair.is_empty()).map(pair).collect(),
            value: value.parse().unwrap(),
        }
    };
    text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(sample).collect()
}
