//! Compares all that Redis has with memory, in both directions.

use std::collections::BTreeMap;

use redis::cmd;
use tidegate_replica::{RANK_BYTES, Register};

use super::{DELIVER_MAX, PUT_MAX, Put, Session, exactly};
use crate::live::redis::connection::{Connection, bytes, items, number};
use crate::live::redis::entry::{Unreadable, decode};
use crate::live::redis::lost::Lost;

/// What Redis has under a field.
enum Held {
    Rank([u8; RANK_BYTES]),
    Damaged(Vec<u8>),
    Newer,
}

impl Session {
    /// Reads all that Redis has, hands it to the driver, and writes what memory has more. Returns how many registers were read and
    /// written.
    pub(super) async fn compare(&self, connection: &mut Connection) -> Result<(u64, u64), Lost> {
        let held = self.load(connection).await?;
        let loaded = held.len() as u64;
        let puts: Vec<Put> =
            self.registers().await?.into_iter().filter_map(|register| self.missing(register, &held)).collect();
        let (mut refilled, mut added) = (0, 0);
        for puts in puts.chunks(PUT_MAX) {
            added += puts.iter().filter(|(register, _)| !held.contains_key(&*register.key)).count() as u64;
            refilled += self.put(connection, puts).await?;
        }
        let replaced = puts.iter().filter(|(_, damaged)| damaged.is_some()).count() as u64;
        self.unreadable.set(self.unreadable.get().saturating_sub(replaced));
        self.known.set(loaded + added);
        self.link.update(|status| {
            status.comparisons += 1;
            status.refilled += refilled;
        });
        Ok((loaded, refilled))
    }

    /// What to write of a register, if Redis has less.
    fn missing(&self, register: Register, held: &BTreeMap<Vec<u8>, Held>) -> Option<Put> {
        match held.get(&*register.key) {
            None => Some((register, None)),
            // The reply to the write may have been lost: a caller waits for it.
            Some(Held::Rank(rank)) if *rank < register.rank_bytes() || self.link.is_awaited(&register.key) => {
                Some((register, None))
            }
            Some(Held::Damaged(bytes)) => Some((register, Some(bytes.clone()))),
            Some(Held::Rank(_) | Held::Newer) => None,
        }
    }

    async fn load(&self, connection: &mut Connection) -> Result<BTreeMap<Vec<u8>, Held>, Lost> {
        let mut held = BTreeMap::new();
        // Registers of an epoch are merged after the repair that began it.
        let repair = connection.query(cmd("HGET").arg(&self.keys.registers).arg(Register::REPAIR_KEY)).await?;
        if let Some(repair) = bytes(repair)? {
            self.hold(vec![(Register::REPAIR_KEY.to_vec(), repair)], &mut held).await?;
        }
        let mut cursor = 0;
        loop {
            let asked = cmd("HSCAN").arg(&self.keys.registers).arg(cursor).arg("COUNT").arg(SCAN_COUNT).take();
            let [next, found] = exactly(items(connection.query(&asked).await?)?)?;
            let mut found = items(found)?.into_iter();
            let mut pairs = Vec::new();
            while let (Some(field), Some(value)) = (found.next(), found.next()) {
                pairs.push((bytes(field)?.unwrap_or_default(), bytes(value)?.unwrap_or_default()));
            }
            for some in pairs.chunks(DELIVER_MAX) {
                self.hold(some.to_vec(), &mut held).await?;
            }
            if held.len() > REGISTERS_MAX {
                let message = format!("`{}` has more than {REGISTERS_MAX} fields; it is not ours", self.keys.registers);
                return Err(Lost::Lasting { code: "redis-too-large", message });
            }
            cursor = number(next)?;
            if cursor == 0 {
                break;
            }
        }
        self.unreadable.set(held.values().filter(|held| !matches!(held, Held::Rank(_))).count() as u64);
        Ok(held)
    }

    /// Hands over what some fields have, and notes it.
    async fn hold(&self, pairs: Vec<(Vec<u8>, Vec<u8>)>, held: &mut BTreeMap<Vec<u8>, Held>) -> Result<(), Lost> {
        let mut registers = Vec::new();
        for (field, value) in pairs {
            let found = match decode(&value) {
                Ok(register) if *register.key == *field => {
                    let rank = register.rank_bytes();
                    registers.push(register);
                    Held::Rank(rank)
                }
                Err(Unreadable::Newer) => Held::Newer,
                _ => Held::Damaged(value),
            };
            held.insert(field, found);
        }
        self.deliver(registers).await
    }
}

/// Fields that Redis looks at for one reply of `HSCAN`.
const SCAN_COUNT: u64 = 256;

/// Fields of the hash: ten times the most that was measured.
const REGISTERS_MAX: usize = 1_000_000;
