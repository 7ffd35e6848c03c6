"""Names for synthetic markets; some hundred outcome labels in several scripts."""

from engine.simulator.profiles import words

CITIES = words(
    "Almería Brașov Çorum Dønna Évora Falmouth Göteborg Harrow Iași Jönköping Kraków Łódź Málaga Nîmes Oulu Plzeň "
    "Quimper Reykjavík Sète Tromsø Umeå Växjö Würzburg Ypsilanti Žilina Arica Busan Cusco Durban Essaouira Fukuoka "
    "Gijón Hobart Ibarra Jeju Kumasi León Mérida Ñuñoa Osaka Perth Querétaro Rosario Sapporo Tallinn Uppsala Varna"
)
CLUBS = words("FC United Rovers Athletic Wolves Comets Miners Sharks")
PLAYERS = words(
    "Ødegård Nakamura Šarić Müller García Nguyễn Petrović Kowalski O'Brien Yılmaz Østby Fernández Ivanov Kim Okafor "
    "Lindström Dvořák Çelik Papadopoulos Szabó Moreau Bălan Jørgensen Sørensen Håkansson Žukauskas Ćosić Peña Ibáñez "
    "Řezníček 大谷 김민준 Иванова Παπάς"
)
COINS = (("Bitcoin", "btc"), ("Ethereum", "eth"), ("Solana", "sol"), ("XRP", "xrp"))
QUESTIONS = (
    "Will the central bank cut rates in {month}?",
    "Will {player} win the nomination?",
    "Will {player} announce a new album before {month}?",
    "Will the highest temperature in {city} be {number}°C on {day}?",
    "Will it rain in {city} on {day}?",
    "{city} mayoral election: will turnout exceed {number}%?",
    "Will {player} say “tariff” {number}+ times?",
    "Largest company end of {month}: {city} Industries?",
    "Will {city} host the {number}th games?",
)
CATEGORIES = ("politics", "culture", "weather", "economics", "tech", "mentions")
