"""The fictional people and places that a seeded shop is made of, by country.

Every given name and surname comes with its spelling in an email address. Nobody here is real; streets are invented.
"""

from typing import NamedTuple

Name = tuple[str, str]


class Country(NamedTuple):
    """Where a share of the customers come from. `zip` holds one `#` for each random digit."""

    code: str
    name: str
    locale: str
    weight: int
    given: tuple[Name, ...]
    surnames: tuple[Name, ...]
    streets: tuple[str, ...]
    cities: tuple[tuple[str, str | None, str | None], ...]
    zip: str


def _names(text: str) -> tuple[Name, ...]:
    """Reads `José=jose Ana`: the spelling in an email address follows `=` where it is not just the lower case."""
    pairs = (word.partition("=") for word in text.replace("\n", " ").split())
    return tuple((name.replace("_", " "), ascii_name or name.lower()) for name, _, ascii_name in pairs)


COUNTRIES = (
    Country(
        *("US", "United States", "en", 34),
        _names(
            "Ava Liam Olivia Noah Emma Ethan Grace Mason Zoë=zoe Jackson Mary-Jane=maryjane Tyrone Latoya Chloé=chloe"
        ),
        _names("Miller Johnson O'Brien=obrien Smith-Jones=smithjones Garcia Nguyen Brooks Walker Núñez=nunez Lee"),
        ("Maple Street", "Sycamore Avenue", "Old Mill Road", "Harbor Lane", "Juniper Court"),
        (
            ("Austin", "Texas", "TX"),
            ("Portland", "Oregon", "OR"),
            ("Albany", "New York", "NY"),
            ("Tampa", "Florida", "FL"),
        ),
        "#####",
    ),
    Country(
        *("GB", "United Kingdom", "en", 12),
        _names("Oliver Amelia Isla George Siobhán=siobhan Harry Poppy Callum Niamh Rhys Aisha"),
        _names("Taylor Evans MacDonald=macdonald Singh O'Neill=oneill Patel Ap_Rhys=aprhys Hughes Clarke Begum"),
        ("High Street", "Church Lane", "Station Road", "Victoria Terrace"),
        (("Leeds", "England", "ENG"), ("Cardiff", "Wales", "WLS"), ("Glasgow", "Scotland", "SCT")),
        "LS# #AB",
    ),
    Country(
        *("DE", "Germany", "de", 12),
        _names("Jürgen=juergen Anja Lukas Käthe=kaethe Björn=bjoern Sören=soeren Greta Mia Jörg=joerg Zeynep"),
        _names("Müller=mueller Groß=gross Schäfer=schaefer Weiß=weiss von_der_Heide=vonderheide Yılmaz=yilmaz Koch"),
        ("Lindenstraße", "Am Bühl", "Goethestraße", "Mühlenweg"),
        (("Köln", None, None), ("Leipzig", None, None), ("München", None, None)),
        "5####",
    ),
    Country(
        *("FR", "France", "fr", 10),
        _names("Zoé=zoe Anaïs=anais Jean-Luc=jeanluc Hélène=helene Loïc=loic Léa=lea François=francois Océane=oceane"),
        _names("Lefèvre=lefevre Dupont D'Artois=dartois Bérenger=berenger L'Hôte=lhote Moreau N'Diaye=ndiaye"),
        ("rue des Érables", "boulevard de l'Île", "place du Marché", "allée des Tilleuls"),
        (("Lyon", None, None), ("Besançon", None, None), ("Nîmes", None, None)),
        "69###",
    ),
    Country(
        *("ES", "Spain", "es", 7),
        _names("José=jose Lucía=lucia María_José=mariajose Íñigo=inigo Begoña=begona Álvaro=alvaro Nuria Marta"),
        _names("García_Márquez=garciamarquez Ibáñez=ibanez Muñoz=munoz Peña=pena de_la_Cruz=delacruz Ortega"),
        ("Calle del Olmo", "Avenida de la Peña", "Plaza Mayor"),
        (("Sevilla", "Sevilla", "SE"), ("Logroño", "La Rioja", "LO"), ("Cádiz", "Cádiz", "CA")),
        "41###",
    ),
    Country(
        *("JP", "Japan", "ja", 7),
        _names("太郎=taro 花子=hanako さくら=sakura 健一=kenichi 美咲=misaki 翔=sho ゆい=yui"),
        _names("佐藤=sato 鈴木=suzuki 高橋=takahashi 田中=tanaka 渡辺=watanabe 小林=kobayashi"),
        ("桜通り", "本町", "緑が丘"),
        (("横浜市", "Kanagawa", "JP-14"), ("札幌市", "Hokkaidō", "JP-01")),
        "###-####",
    ),
    Country(
        *("UA", "Ukraine", "uk", 4),
        _names("Олена=olena Тарас=taras Юлія=yuliia Ігор=ihor Соломія=solomiia"),
        _names("Шевчук=shevchuk Коваленко=kovalenko Мельник=melnyk Їжакевич=yizhakevych"),
        ("вул. Садова", "вул. Лесі Українки"),
        (("Львів", None, None), ("Одеса", None, None)),
        "79###",
    ),
    Country(
        *("IL", "Israel", "he", 3),
        _names("נועה=noa דוד=david תמר=tamar יעל=yael איתן=eitan"),
        _names("כהן=cohen לוי=levi מזרחי=mizrahi פרץ=peretz"),
        ("רחוב הזית", "שדרות האורן"),
        (("חיפה", None, None), ("באר שבע", None, None)),
        "#######",
    ),
    Country(
        *("AE", "United Arab Emirates", "ar", 3),
        _names("فاطمة=fatima محمد=mohammed ليلى=layla عمر=omar"),
        _names("الهاشمي=alhashimi المنصوري=almansoori حداد=haddad"),
        ("شارع النخيل", "شارع البحر"),
        (("دبي", "Dubai", "DU"), ("أبوظبي", "Abu Dhabi", "AZ")),
        "",
    ),
    Country(
        *("IN", "India", "en", 4),
        _names("Priya अर्जुन=arjun Ananya Rahul दीपा=deepa Kavya"),
        _names("Sharma Iyer पटेल=patel Krishnamurthy Das"),
        ("Mango Grove Road", "Temple Street", "2nd Cross"),
        (("Bengaluru", "Karnataka", "KA"), ("Pune", "Maharashtra", "MH")),
        "56####",
    ),
    Country(
        *("DK", "Denmark", "da", 4),
        _names("Søren=soren Åse=aase Mette Bjørk=bjork Lærke=laerke Anders"),
        _names("Nørgaard=norgaard Kjær=kjaer Østergård=ostergaard Holm Jensen"),
        ("Ærøvej", "Nygade", "Skovvænget"),
        (("Aarhus", None, None), ("Tønder", None, None)),
        "8###",
    ),
)

COMPANIES = ("Bramble & Co", "Nordlys ApS", "Kaffeerösterei Süd", "山田商店", "L'Atelier Bleu", "Acme Fictions Ltd.")
TAGS = (
    "vip",
    "wholesale",
    "newsletter",
    "Returned Once",
    "beta-tester",
    "vip:gold",
    "vip:silver",
    "loyalty",
    "été 2025",
    "staff",
)
NOTES = (
    "Loves ice cream 🍦",
    "Prefers delivery after 18:00",
    "Allergic to nuts 🥜 — never send samples",
    "Called twice about\nthe blue jacket",
    'Says "no plastic, please"',
    "誕生日は5月 🎂",
    "Gate code is with the neighbour; ring \\ twice",
    "VIP since 2019 ⭐️⭐️",
)
# Area codes in which 555 numbers are kept for fiction; the line number is ours to count.
AREA_CODES = (
    *(
        201,
        202,
        203,
        205,
        206,
        207,
        208,
        209,
        210,
        212,
        213,
        214,
        215,
        216,
        217,
        218,
        219,
        224,
        225,
        228,
        229,
        231,
        234,
    ),
    *(
        239,
        240,
        248,
        251,
        252,
        253,
        254,
        256,
        260,
        262,
        267,
        269,
        270,
        276,
        281,
        301,
        302,
        303,
        304,
        305,
        307,
        308,
        309,
    ),
    *(
        310,
        312,
        313,
        314,
        315,
        316,
        317,
        318,
        319,
        320,
        321,
        323,
        325,
        330,
        334,
        336,
        337,
        339,
        347,
        351,
        352,
        360,
        361,
    ),
    *(
        401,
        402,
        404,
        405,
        406,
        407,
        408,
        409,
        410,
        412,
        413,
        414,
        415,
        417,
        419,
        423,
        425,
        430,
        432,
        434,
        435,
        440,
        443,
    ),
)
MAIL_DOMAINS = ("example.com", "example.org", "example.net")
COUNTRY_NAMES = {country.code: country.name for country in COUNTRIES}
