//! Chance, the same for everybody.

/// A small generator of pseudo-random numbers (xorshift64*).
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        // Spread, so that neighbouring seeds differ in every bit; zero would stay zero.
        Dice((seed ^ 0x5EED_0F5A_17B0_0C5E).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// 0 to `limit` - 1; 0 where `limit` is 0.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize;
        drawn.checked_rem(limit).unwrap_or(0)
    }

    /// One time in `times`.
    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of them.
    ///
    /// # Panics
    /// When there is none.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}
