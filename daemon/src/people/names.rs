//! Names as they are heard in Mesuji, where Javanese, Lampung, Balinese and Sundanese families are
//! neighbours: lists of given names become full names.

use super::dice::Dice;

/// Whose customs of naming a family keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Custom {
    Javanese,
    Lampung,
    Balinese,
    Sundanese,
}

impl Custom {
    /// A custom, as often as it is met.
    pub(super) fn draw(dice: &mut Dice) -> Self {
        match dice.code(&[(0, 58), (1, 20), (2, 12), (3, 10)]) {
            0 => Self::Javanese,
            1 => Self::Lampung,
            2 => Self::Balinese,
            _ => Self::Sundanese,
        }
    }

    /// A full name for a person of this age; `birth_order` counts the children of a family from 0.
    pub(super) fn name(self, dice: &mut Dice, woman: bool, age: i64, birth_order: usize) -> String {
        if self == Self::Balinese {
            return balinese(dice, woman, birth_order);
        }
        if age < 22 {
            let (first, second) = if woman { (YOUNG_WOMEN, YOUNG_WOMEN_2) } else { (YOUNG_MEN, YOUNG_MEN_2) };
            return format!("{} {}", dice.pick(first), dice.pick(second));
        }
        let (first, second) = match (self, woman) {
            (Self::Javanese, false) => (JAVANESE_MEN, JAVANESE_MEN_2),
            (Self::Javanese, true) => (JAVANESE_WOMEN, JAVANESE_WOMEN_2),
            (Self::Lampung, false) => (LAMPUNG_MEN, LAMPUNG_MEN_2),
            (Self::Lampung, true) => (LAMPUNG_WOMEN, LAMPUNG_WOMEN_2),
            (_, false) => (SUNDANESE_MEN, SUNDANESE_MEN_2),
            (_, true) => (SUNDANESE_WOMEN, SUNDANESE_WOMEN_2),
        };
        // One name is enough for many of the older.
        let single = if age > 50 { 45 } else { 20 };
        if dice.chance(single) {
            dice.pick(first).to_owned()
        } else {
            format!("{} {}", dice.pick(first), dice.pick(second))
        }
    }
}

fn balinese(dice: &mut Dice, woman: bool, birth_order: usize) -> String {
    const ORDER: [&str; 4] = ["Wayan", "Made", "Nyoman", "Ketut"];
    let order = ORDER.get(birth_order % ORDER.len()).copied().unwrap_or_default();
    let (article, given) =
        if woman { ("Ni", dice.pick(BALINESE_WOMEN)) } else { ("I", dice.pick(BALINESE_MEN)) };
    format!("{article} {order} {given}")
}

const JAVANESE_MEN: &[&str] = &[
    "Slamet",
    "Sutrisno",
    "Suyanto",
    "Ngatimin",
    "Paijo",
    "Sugeng",
    "Widodo",
    "Supriyadi",
    "Wagiman",
    "Sarno",
    "Joko",
    "Tukiman",
    "Suparman",
    "Bambang",
    "Budi",
    "Eko",
    "Agus",
    "Mulyono",
    "Sukirno",
    "Purwanto",
    "Teguh",
    "Heru",
    "Wahyudi",
    "Subandi",
    "Kasno",
    "Parjo",
    "Sumarno",
    "Untung",
    "Giyanto",
    "Sunardi",
];
const JAVANESE_MEN_2: &[&str] = &[
    "Santoso", "Prasetyo", "Wibowo", "Raharjo", "Utomo", "Setiawan", "Hartono", "Susilo", "Handoko",
    "Kuncoro", "Nugroho", "Saputro", "Purnomo", "Wijaya", "Haryanto", "Basuki",
];
const JAVANESE_WOMEN: &[&str] = &[
    "Siti", "Sri", "Sumiati", "Wagiyem", "Tukinem", "Suparti", "Endang", "Ngatini", "Rukmini", "Painem",
    "Yuni", "Dwi", "Tri", "Sulastri", "Sumarni", "Kartini", "Lestari", "Suyati", "Murni", "Wartini",
    "Poniyem", "Winarsih", "Surati", "Mujiati",
];
const JAVANESE_WOMEN_2: &[&str] = &[
    "Rahayu",
    "Lestari",
    "Wahyuni",
    "Handayani",
    "Astuti",
    "Ningsih",
    "Utami",
    "Purwanti",
    "Susanti",
    "Widyastuti",
    "Hastuti",
    "Kusumawati",
    "Mulyani",
    "Setyowati",
];
const LAMPUNG_MEN: &[&str] = &[
    "Hasan", "Zainal", "Ridwan", "Syahril", "Herman", "Rusdi", "Faisal", "Ibrahim", "Yusuf", "Iskandar",
    "Mansur", "Bustami", "Darwis", "Rizal", "Firdaus", "Amirudin", "Khairul", "Effendi",
];
const LAMPUNG_MEN_2: &[&str] = &[
    "Abidin", "Sutan", "Effendi", "Marga", "Pangeran", "Raja", "Hakim", "Mega", "Basri", "Arifin", "Yakub",
    "Rasyid",
];
const LAMPUNG_WOMEN: &[&str] = &[
    "Nurhayati",
    "Rosmala",
    "Yulia",
    "Fatimah",
    "Halimah",
    "Maimunah",
    "Sapura",
    "Dahlia",
    "Hasanah",
    "Aminah",
    "Laila",
    "Mardiana",
    "Zubaidah",
    "Hernawati",
    "Rohana",
    "Suryani",
];
const LAMPUNG_WOMEN_2: &[&str] =
    &["Sari", "Dewi", "Intan", "Puspa", "Hartati", "Yani", "Safitri", "Permata", "Wati", "Ratu"];
const SUNDANESE_MEN: &[&str] = &[
    "Asep", "Dadang", "Ujang", "Cecep", "Deden", "Endang", "Maman", "Yayan", "Tatang", "Agus", "Iwan",
    "Rahmat", "Jajang", "Wawan",
];
const SUNDANESE_MEN_2: &[&str] =
    &["Suherman", "Hidayat", "Kurniawan", "Sopandi", "Permana", "Suryana", "Sumantri", "Gunawan", "Mulyana"];
const SUNDANESE_WOMEN: &[&str] =
    &["Euis", "Neneng", "Iis", "Lilis", "Cucu", "Ai", "Tati", "Yeni", "Imas", "Teti", "Nining", "Enok"];
const SUNDANESE_WOMEN_2: &[&str] =
    &["Komalasari", "Nurjanah", "Rohaeti", "Suryati", "Kartika", "Sumarni", "Herlina", "Mulyati"];
const BALINESE_MEN: &[&str] = &[
    "Sudarma", "Suarta", "Widana", "Sukadana", "Artawan", "Mudita", "Suastika", "Wirawan", "Budiasa",
    "Parwata", "Astawa", "Darmawan",
];
const BALINESE_WOMEN: &[&str] = &[
    "Sriani",
    "Suartini",
    "Astiti",
    "Widiani",
    "Sukerti",
    "Parwati",
    "Wardani",
    "Suciati",
    "Rasmini",
    "Darmini",
    "Kertiasih",
];
const YOUNG_MEN: &[&str] = &[
    "Rizky", "Aditya", "Muhammad", "Fajar", "Dimas", "Bayu", "Rafi", "Ilham", "Galang", "Arya", "Yoga",
    "Reza", "Bagas", "Andika", "Farel", "Ahmad", "Kevin", "Satria", "Alif", "Naufal",
];
const YOUNG_MEN_2: &[&str] = &[
    "Pratama",
    "Saputra",
    "Ramadhan",
    "Maulana",
    "Firmansyah",
    "Nugraha",
    "Al Farizi",
    "Kurniawan",
    "Hidayat",
    "Setiawan",
    "Wicaksono",
    "Alamsyah",
];
const YOUNG_WOMEN: &[&str] = &[
    "Aisyah",
    "Putri",
    "Nabila",
    "Anisa",
    "Zahra",
    "Dinda",
    "Intan",
    "Kayla",
    "Salsabila",
    "Naila",
    "Rara",
    "Amelia",
    "Citra",
    "Bunga",
    "Keisha",
    "Nadia",
    "Tiara",
    "Syifa",
];
const YOUNG_WOMEN_2: &[&str] = &[
    "Ramadhani",
    "Lestari",
    "Azzahra",
    "Maharani",
    "Permatasari",
    "Oktaviani",
    "Safitri",
    "Khairunnisa",
    "Anggraini",
    "Aulia",
    "Wulandari",
    "Putri",
];
