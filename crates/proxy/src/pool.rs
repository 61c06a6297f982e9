//! Buffers that a thread keeps for reuse: so reading and writing allocate nothing, and a session
//! that is idle can give back all it had.

use std::cell::RefCell;

use bytes::BytesMut;

/// What a read takes, and what most buffers of the pool hold.
pub const CHUNK: usize = 16 * 1024;
/// What a read takes once reads have filled their buffers.
pub const LARGE_CHUNK: usize = 64 * 1024;
/// Buffers of each size that a thread keeps for reuse.
const POOLED: usize = 64;
const LARGE_POOLED: usize = 16;

#[derive(Default)]
struct Pool {
    small: Vec<BytesMut>,
    large: Vec<BytesMut>,
}

thread_local! {
    static POOL: RefCell<Pool> = RefCell::default();
}

/// A buffer of at least `size` bytes: [`CHUNK`] or [`LARGE_CHUNK`].
pub fn take(size: usize) -> BytesMut {
    let pooled = POOL.with_borrow_mut(|pool| if size > CHUNK { pool.large.pop() } else { pool.small.pop() });
    pooled.unwrap_or_else(|| BytesMut::with_capacity(size))
}

/// A buffer of another size than the two is not kept.
pub fn give_back(mut buffer: BytesMut) {
    buffer.clear();
    POOL.with_borrow_mut(|pool| {
        // Reclaiming makes what was consumed at its front count again.
        for (pool, size, most) in
            [(&mut pool.large, LARGE_CHUNK, LARGE_POOLED), (&mut pool.small, CHUNK, POOLED)]
        {
            if buffer.try_reclaim(size) && buffer.capacity() <= 2 * size {
                if pool.len() < most {
                    pool.push(buffer);
                }
                return;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use bytes::Buf;

    use super::*;

    #[test]
    fn a_buffer_is_used_again_whatever_it_has_carried() {
        for size in [CHUNK, LARGE_CHUNK] {
            let mut buffer = take(size);
            buffer.extend_from_slice(&[0; 1000]);
            buffer.advance(1000);
            let place = buffer.as_ptr() as usize - 1000;
            give_back(buffer);
            assert_eq!(take(size).as_ptr() as usize, place);
        }
    }

    #[test]
    fn a_buffer_that_has_grown_is_not_kept() {
        for capacity in [CHUNK - 1, 3 * CHUNK, 3 * LARGE_CHUNK] {
            give_back(BytesMut::with_capacity(capacity));
        }
        POOL.with_borrow(|pool| assert_eq!((pool.small.len(), pool.large.len()), (0, 0)));
    }
}
