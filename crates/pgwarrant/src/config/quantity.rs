//! Durations and sizes as people write them: `60 min`, `90s`, `1 MiB`.

use std::time::Duration;

/// The longest duration that a configuration may hold.
const MAX_SECONDS: u64 = 10 * 366 * 86_400;

/// `250 ms`, `90s`, `60 min`, `8 hours`, `7d`; no sign, no fraction. `Err` says what to write.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    const WANTS: &str = "Write a whole number and a unit: ms, s, min, h or d, for example \"60 min\".";
    let (number, unit) = split(text).ok_or(WANTS)?;
    let milliseconds: u64 = match unit {
        "ms" | "millisecond" | "milliseconds" => 1,
        "s" | "sec" | "second" | "seconds" => 1_000,
        "min" | "minute" | "minutes" => 60_000,
        "h" | "hour" | "hours" => 3_600_000,
        "d" | "day" | "days" => 86_400_000,
        "m" => return Err("\"m\" could be minutes or months: write min.".into()),
        _ => return Err(WANTS.into()),
    };
    number
        .checked_mul(milliseconds)
        .filter(|total| *total <= MAX_SECONDS * 1_000)
        .map(Duration::from_millis)
        .ok_or_else(|| "At most ten years.".into())
}

/// `4096`, `64 KiB`, `1 MiB`, `2 GiB`. `Err` says what to write.
pub(super) fn size(text: &str) -> Result<usize, String> {
    const WANTS: &str = "Write a whole number and a unit: B, KiB, MiB or GiB, for example \"1 MiB\".";
    let (number, unit) = split(text).ok_or(WANTS)?;
    let bytes: u64 = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "kB" | "KB" | "MB" | "GB" => {
            return Err(format!("{unit} means different things: write KiB, MiB or GiB."));
        }
        _ => return Err(WANTS.into()),
    };
    number.checked_mul(bytes).and_then(|total| usize::try_from(total).ok()).ok_or_else(|| WANTS.into())
}

/// The number, and the unit without blanks around it.
fn split(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    Some((number.parse().ok()?, unit.trim_start()))
}
