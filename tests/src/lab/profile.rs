//! What links there are in the field: rates, delays, losses, and when they are up at all.

/// A link, as whoever holds the phone has it.
#[derive(Clone, Copy, Debug)]
pub struct Profile {
    /// How it is called on the command line.
    pub name: &'static str,
    /// From the phone.
    pub up: Way,
    /// To the phone.
    pub down: Way,
    /// When it is up; always, if nothing is said.
    pub windows: Option<Windows>,
}

/// One direction of a link.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    /// Bits a second.
    pub rate_bits: u64,
    /// How long a packet is on its way once it was sent.
    pub delay_us: u64,
    /// How much longer that may take, evenly.
    pub jitter_us_max: u64,
    /// How many of a million packets are lost, half of them alone and half in bursts.
    pub lost_ppm: u64,
    /// How many of a million packets come twice.
    pub doubled_ppm: u64,
    /// How many of a million packets overtake those before them.
    pub overtaking_ppm: u64,
    /// What waits to be sent beyond this is lost.
    pub queue_bytes_max: u64,
    /// Whether UDP passes.
    pub udp_passes: bool,
}

/// A link that is up for a while, again and again.
#[derive(Clone, Copy, Debug)]
pub struct Windows {
    /// How long.
    pub up_us: u64,
    /// How often.
    pub every_us: u64,
}

const SECOND_US: u64 = 1_000_000;

/// The links that are measured.
pub const PROFILES: [Profile; 6] = [
    steady("gprs", 20_000, 50_000, 500, 30_000),
    steady("edge", 200_000, 240_000, 840, 20_000),
    steady("vsat", 1_000_000, 1_000_000, 650, 10_000),
    Profile {
        windows: Some(Windows { up_us: 30 * SECOND_US, every_us: 90 * SECOND_US }),
        ..steady("hill", 64_000, 64_000, 600, 50_000)
    },
    steady("hall", 50_000_000, 50_000_000, 2, 0),
    without_udp(steady("wall", 2_000_000, 10_000_000, 60, 2_000)),
];

impl Profile {
    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        PROFILES.into_iter().find(|profile| profile.name == name)
    }

    /// How long so many bytes from the phone, and so many to it, take at least, after one round trip.
    pub fn least_seconds(&self, up_bytes: u64, down_bytes: u64) -> f64 {
        let seconds = |bytes: u64, way: &Way| bytes as f64 * 8.0 / way.rate_bits as f64;
        let carried = seconds(up_bytes, &self.up).max(seconds(down_bytes, &self.down));
        self.round_trip_us() as f64 / 1e6 + carried
    }

    /// How long a small packet and its answer take at least.
    pub fn round_trip_us(&self) -> u64 {
        self.up.delay_us + self.down.delay_us
    }
}

/// Up all the time. The delay is of a round trip.
const fn steady(
    name: &'static str,
    up_bits: u64,
    down_bits: u64,
    round_trip_ms: u64,
    lost_ppm: u64,
) -> Profile {
    Profile {
        name,
        up: way(up_bits, round_trip_ms, lost_ppm),
        down: way(down_bits, round_trip_ms, lost_ppm),
        windows: None,
    }
}

/// As behind the walls of offices, schools and hotels.
const fn without_udp(profile: Profile) -> Profile {
    let (up, down) = (profile.up, profile.down);
    Profile { up: Way { udp_passes: false, ..up }, down: Way { udp_passes: false, ..down }, ..profile }
}

/// Mobile networks hold packets back rather than lose them: three seconds of the rate, as is usual.
const fn way(rate_bits: u64, round_trip_ms: u64, lost_ppm: u64) -> Way {
    let delay_us = round_trip_ms * 1_000 / 2;
    let three_seconds = rate_bits * 3 / 8;
    Way {
        rate_bits,
        delay_us,
        jitter_us_max: delay_us / 5,
        lost_ppm,
        doubled_ppm: 1_000,
        overtaking_ppm: 1_000,
        queue_bytes_max: if three_seconds < 12_000 { 12_000 } else { three_seconds },
        udp_passes: true,
    }
}
