"""Which passwords are taken."""

PASSWORD_CHARS_MIN = 10
PASSWORD_BYTES_MAX = 1_024
# What a word list begins with; a longer password may hold one of them.
_STEMS = (
    "password",
    "passwort",
    "polycopy",
    "polymarket",
    "qwerty",
    "qwertz",
    "letmein",
    "welcome",
    "administrator",
    "iloveyou",
)
_ROWS = ("0123456789", "1234567890", "abcdefghijklmnopqrstuvwxyz", "qwertyuiop", "qwertzuiop", "asdfghjkl")
_LEET = str.maketrans("@$01354", "asolesa")
OTHER_CHARS_MIN = 6
"""Besides the name or a word of the list."""


def password_problem(password: str, user_name: str) -> str | None:
    """Returns what is wrong with a password, a sentence for people that does not repeat it; None when it may be used."""
    if len(password) < PASSWORD_CHARS_MIN:
        return f"a password has at least {PASSWORD_CHARS_MIN} characters; several words are easy to keep in mind"
    if len(password.encode("utf-8", "surrogatepass")) > PASSWORD_BYTES_MAX:
        return f"a password has at most {PASSWORD_BYTES_MAX} bytes"
    if not password.isprintable():
        return "a password has no control characters and no line breaks"
    plain = password.casefold()
    if _is_repetition(plain):
        return "this password repeats the same few characters; anybody would try it"
    if any(plain in row * 3 or plain in row[::-1] * 3 for row in _ROWS):
        return "this password is a row of keys; anybody would try it"
    read = plain.translate(_LEET)
    names = {user_name.casefold(), user_name.casefold().partition("@")[0]}
    if any(len(name) >= 3 and _little_besides(name, (plain,)) for name in names):
        return "this password is little more than the user's name; anybody would try it"
    if any(_little_besides(stem, (plain, read)) for stem in _STEMS):
        return "this password is little more than a word that everybody tries first"
    return None


def _is_repetition(text: str) -> bool:
    return any(text == (text[:size] * len(text))[: len(text)] for size in range(1, 4)) or len(set(text)) < 4


def _little_besides(word: str, texts: tuple[str, ...]) -> bool:
    """Returns whether a text is the word with only a few other characters."""
    return any(word in text and len(text.replace(word, "")) < OTHER_CHARS_MIN for text in texts)
