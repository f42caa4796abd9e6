/// A number to six digits, for readers.
pub fn short(number: f64) -> String {
    rounded(number, 6)
}

/// A number to a few digits.
pub fn rounded(number: f64, digits: u8) -> String {
    let most = i32::from(digits.max(1));
    if !number.is_finite() {
        return number.to_string().to_lowercase();
    }
    let scientific = format!("{number:.*e}", most as usize - 1);
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    match exponent {
        -4.. if exponent < most => {
            without_zeros(&format!("{number:.*}", (most - 1 - exponent) as usize))
        }
        _ => format!("{}e{exponent}", without_zeros(digits)),
    }
}

fn without_zeros(decimal: &str) -> String {
    match decimal.contains('.') {
        true => decimal.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => decimal.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_numbers_have_six_digits() {
        let cases = [
            (0.0, "0"),
            (-1.5, "-1.5"),
            (2.0 / 3.0, "0.666667"),
            (4.122307e-9, "4.12231e-9"),
            (123456.7, "123457"),
            (1234567.0, "1.23457e6"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
        ];
        for (number, text) in cases {
            assert_eq!(short(number), text);
        }
        assert_eq!(rounded(2f64.sqrt(), 4), "1.414");
    }
}
