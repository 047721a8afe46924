"""``{{user}}`` of a character card, put into words: there is no user's name here, only another party.

"The other person" and 对方 can stand wherever a name stands for somebody who is told about, and nowhere else: not where
they are called by it, where it is quoted, or where it is said to be a name.  One text speaks of one person, so where
one place cannot be put into words all of them stay as they came.
"""

import re

USER = re.compile(r"\{\{user\}\}|<user>", re.IGNORECASE)
QUOTED = re.compile(r'"[^"\n]*"?|“[^”\n]*”?|「[^」\n]*」?')
WINDOW = 80  # characters looked at on either side

GOES_ON = re.compile(r"(?:['’]s)?(?=[\s.,;!?)…—]|$)")
NAME_FOLLOWS = re.compile(
    r"\b(?:an?|the|my|your|his|her|its|our|their|this|that|every|each|named|called|name|name is|known as|user|user is"
    r"|dear|hey|hi|hello|oh|mrs?|ms|miss)[\s,:.]*\Z",
    re.IGNORECASE,
)
SENTENCE_BEGINS = re.compile(r"(?:\A|\n|[.!?…]['’)]*\s)[^\S\n]*(?:[-•][^\S\n]+)?\Z")
NAME_FOLLOWS_CHINESE = ("名叫", "叫做", "叫", "名为", "名字是", "这个", "那个", "亲爱的", "用户")
CHINESE_PAUSES = "，、。！？；：…,!?;:\n"


def with_user_named(text: str, lang: str) -> str:
    if any(USER.search(quoted) for quoted in QUOTED.findall(text)):
        return text
    place_of, fits = (_chinese_place, _fits_chinese) if lang == "zh" else (USER, _fits_english)
    if not all(fits(*_around(text, place)) for place in place_of.finditer(text)):
        return text
    return place_of.sub(lambda place: "对方" if lang == "zh" else _english(_around(text, place)[0]), text)


_chinese_place = re.compile(f" ?(?:{USER.pattern}) ?", re.IGNORECASE)  # Chinese sets no word apart with blanks


def _around(text: str, place: re.Match[str]) -> tuple[str, str]:
    return text[max(0, place.start() - WINDOW) : place.start()], text[place.end() : place.end() + WINDOW]


def _english(before: str) -> str:
    return "The other person" if SENTENCE_BEGINS.search(before) else "the other person"


def _fits_english(before: str, after: str) -> bool:
    stands_alone = GOES_ON.match(after) and (not before or before[-1] in " \n(—")
    is_called = re.match(r"[,.;!?…]", after) and (before.rstrip().endswith(",") or SENTENCE_BEGINS.search(before))
    return bool(stands_alone) and not is_called and NAME_FOLLOWS.search(before) is None


def _fits_chinese(before: str, after: str) -> bool:
    is_called = (not before or before[-1] in CHINESE_PAUSES) and (not after or after[0] in CHINESE_PAUSES)
    return not is_called and not before.endswith(NAME_FOLLOWS_CHINESE) and not after.startswith((":", "："))
