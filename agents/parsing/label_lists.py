"""Find the lists of labels that an instruction spells out: bullets, `one of: a, b, c`, quoted words, "yes or no".

It proposes; whether the demonstrations agree with a list is for the caller to judge.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

__all__ = ["CLOSED_FAMILIES", "listed_labels", "seems_to_classify"]

_LONGEST_LIST = 40_000  # characters, more than all the labels that count may have: a list is never cut to fewer
_BULLET = re.compile(r"[ \t]{0,8}(?:[-*•+–]|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)])[ \t]+(?=\S)")
_LABEL_NAMES = (
    r"labels?|categor(?:y|ies)|class(?:es)?|intents?|options|choices|tags|topics?|candidates|sentiments?|emotions?|kategorien?|"
    r"klassen?|catégories?|étiquettes?|categorías?|etiquetas?|categorias?|categorie|luokat|luettelon|категори\w+|метк\w+"
)
_CUE = re.compile(
    rf"\b(?:one of|either|among|out of|{_LABEL_NAMES}|labell?ed|classif\w+|choose|types|eine[rs]? (?:der|von)|parmi|"
    r"un[ae] de|luokittele\w*|luokista)\b"
    r"|类别|标签|分类|之一|カテゴリ|ラベル",
    re.IGNORECASE,
)
_CLASSIFIES = re.compile(
    r"\b(?:classify|categori[sz]e|(?:which|what) (?:\w+ )?(?:label|category|class|intent|sentiment|topic)\b|"
    r"(?:assign|choose|predict|determine|give) (?:it |them |each \w+ )?(?:a|an|the|one)(?: \w+)? "
    r"(?:label|category|class|intent)\b|"
    r"klassifizier\w+|kategorisier\w+|classer|classifie[rz]?|clasifi(?:ca|car|que)|classificare?|luokittele|"
    r"(?:detect|decide|determine|check|tell me|verify|judge|identify|predict|say) (?:if|whether))\b|"
    r"классифицир\w*|分类|分類|분류",
    re.IGNORECASE,
)
_ANSWER_CUE = re.compile(
    r"\b(?:answer|outputs?|outpus|respond|reply|return|labell?(?:ed)?|classif\w+|write|say|tell|choose|select|indicate|predict|"
    r"antwort\w*|réponds|répondre|responde\w*|rispond\w*|vastaa|ответ\w*)\b|回答|输出|答え",
    re.IGNORECASE,
)
_COLON_LIST = re.compile(
    rf"(?:\b(?:one of|either|parmi|{_LABEL_NAMES})\b|类别|标签|之一|カテゴリ|ラベル)"
    rf"[^:：.\n\"'“‘`]{{0,60}}[:：][ \t]*(?P<items>[^\n]{{3,{_LONGEST_LIST}}})",
    re.IGNORECASE,
)
_WORD_LIST = re.compile(
    rf"\b(?:one of|either|parmi|(?:{_LABEL_NAMES})[ \t]+(?:are|include|sind|sont|son)|classif\w+[^.:\n]{{0,60}}?[ \t]"
    r"(?:as|into))[ \t]+(?:(?:(?:exactly|only|just|either)[ \t]+)?(?:one of|either)[ \t]+)?"
    rf"(?P<items>[^\n]{{3,{_LONGEST_LIST}}})",
    re.IGNORECASE,
)
_OR_ELSEWHERE = "یا|أو|या|או|hoặc|atau|ή|ან|ወይም|বা|অথবা|அல்லது|або|чи|vagy|nebo"
_JOINS = rf"or|and|oder|und|ou|et|o|y|или|и|tai|{_OR_ELSEWHERE}"
_SEPARATOR = re.compile(
    rf"[ \t]*(?:[,;|、，；،؛]|/(?!(?!n/a\b)\w{{0,2}}/|(?<=\bn/)a\b))[ \t]*(?:(?:{_JOINS}|e|ja)[ \t]+)?"
    rf"|[ \t]+(?:{_JOINS}|eller|lub|veya)[ \t]+|或者?|または|또는",
    re.IGNORECASE,
)
_QUOTED = re.compile(
    r"(?<!\w)(?:\"([^\"\n]{1,48})\"|'([^'\n]{1,48})'(?!\w)|“([^”\n]{1,48})”|‘([^’\n]{1,48})’|`([^`\n]{1,48})`|«([^»\n]{1,48})»)"
    r"|「([^」\n]{1,48})」"
)
_SENTENCE = re.compile(r"(?<=[.!?؟።।])[\"')]?\s+|(?<=[。！？])\s*|\n+")
CLOSED_FAMILIES = tuple(
    frozenset(family.split())
    for family in (
        "yes no maybe unknown", "true false unknown", "positive negative neutral mixed",
        "entailment contradiction neutral", "ja nein", "oui non", "sí si no", "sim não", "kyllä ei", "да нет", "是 否",
        "はい いいえ", "spam ham", "pos neg neu", "low medium high", "good bad", "correct incorrect",
        "relevant irrelevant", "fake real", "supported refuted",
    )
)  # fmt: skip
"""Label sets so common that two members of one in the demonstrations show it."""

_SCALE = re.compile(
    r"(?P<cue>\b(?:scale|range|rating|score|grade|stars?|level|skala|échelle|escala|scala)\b[^.\d\n]{0,30})?"
    r"(?<![\d.,])(?P<low>[0-2])[ \t]{0,2}(?:to|through|and|bis|à|a|al|[-–—~至到])[ \t]{0,2}"
    r"(?P<high>\d{1,2})(?![\d.,]\d|\d|%)",
    re.IGNORECASE,
)
_RATES = re.compile(
    r"\b(?:rat(?:e|es|ed|ing)|scor(?:e|es|ed|ing)|grad(?:e|es|ing)|bewerte\w*|évalu\w+|valora\w*)\b", re.IGNORECASE
)
_LEADS_TO_STEPS = re.compile(
    r"\b(?:output|answer|respond|return|reply)(?: (?:with|an?|the|integer|number|from|between|only))*\s*\Z",
    re.IGNORECASE,
)
_SCALE_REACH = 100
_MOST_STEPS = 11
_WORDS_OF_A_CASE = r"(?:if|for|when|whenever|in case|otherwise|where|unless)\b"
_ANSWERS = (
    r"\b(?:outputs?|outpus|answers?|return|write|say|respond|reply|labell?ed|label|predict|"
    r"indicate|otherwise|give|be)\b"
)
_CASE = re.compile(
    rf"{_ANSWERS}(?:[ ,]{{1,2}}(?:it|the|your|answer|output|response|should|will|must|be|is|with|as|labell?ed))*"
    rf"[ \t]+(?:[\"'“‘`]([^\s\"'”’`]{{1,16}}(?:[ ][^\s\"'”’`]{{1,12}})?)[\"'”’`]|"
    rf"([\w-]{{1,16}})(?=[ \t]+{_WORDS_OF_A_CASE}))"
    rf"|\band[ \t]+[\"'“‘`]?([\w-]{{1,16}})[\"'”’`]?(?=[ \t]+{_WORDS_OF_A_CASE})",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"(?<=[.!?;])\s+|\n+")
_DIGITS_LISTED = re.compile(r"(?<![\w.,])\d(?:[ \t]*,[ \t]*\d)*[ \t]*,?[ \t]*\bor\b[ \t]*\d(?![\w.]\w)")
_OR_QUOTED = re.compile(r"\bor\b[ \t]*(?:an?[ \t]|the[ \t])?[\"'“‘`]")
_LIST_IN_MARKS = re.compile(r"[\"“](?P<items>[^\"”\n{}]{3,2000},[^\"”\n{}]{3,400})[\"”]")
_ENDS_JOINED = re.compile(r",[ \t]*(?:or|and)[ \t][^,]*\Z")
_LIST_JOINT = re.compile(r"[ \t]*,[ \t]*(?:(?:or|and)[ \t]+)?")
_FOLLOWS_LABELS = re.compile(r"(?:sentiment|tone|label|class|category|opinion|emotion|impact|connotation)s?\b\W*\Z")
_STAYS_OPEN = re.compile(r"\b(?:such as|for (?:example|instance))\b|\be\.g\.|\betc\b", re.IGNORECASE)
_GOES_ON = re.compile(
    r"\S+\s+(?:as|in|on|of|for|to|by|from|with|when|if|depending|based|according|overall)\b", re.IGNORECASE
)
_LAST_JOINT = re.compile(rf"\b(?:or|oder|ou|o|или|tai|eller|lub|veya|{_OR_ELSEWHERE})\b|或|または|또는", re.IGNORECASE)
_QUALIFIER = re.compile(
    "very|extremely|highly|strongly|mostly|largely|somewhat|slightly|mildly|moderately|weakly|barely|rather|fairly|"
    "partly|partially|half|almost|sehr|stark|eher|leicht|teilweise|überwiegend|halb|très|plutôt|partiellement|"
    "muy|algo|parcialmente|muito|molto|abbastanza|parzialmente",
    re.IGNORECASE,
)
_CHINESE_LIST = re.compile(
    r"(?:(?:分类|分類|归类|歸類|标注|标记)(?:为|為|成)|[分归](?:为|為|成)(?=[^。！？；;:：\n]*[类類种種]))"
    r"[ \t]*[:：]?[ \t]*(?P<items>[^。！？；;:：\n]{3,2000})"
)
_CHINESE_COUNT = re.compile(
    r"(?:这|這)?[两兩二三四五六七八九十\d]+(?:个|個)?[类類种種][^、，,]{0,4}\Z|(?:之一|中的一[个種种類类])\Z"
)
_CHINESE_PROSE = re.compile(r"\s|以下|下列|如下|哪|什么|不同")
_AROUND = " \t\"'`“”‘’«»「」*_<>.:;!?。！？；।።؟"
_OR = frozenset({"or", "and", "either", "only", "just", "oder", "ou", "o", "или", "tai"})
_JSON_KEY = re.compile(r"[\"'][ \t]{0,4}:")
_PLACEHOLDER = re.compile(r"YYYY|HH:|[{}\[\]<>]|\.\.\.|…")
_MOST_LABELS = 500
_LONGEST_LABEL = 48


def listed_labels(instruction: str, *, known: frozenset[str], shown: bool) -> Iterator[tuple[str, ...]]:
    """Lists of at least two short items that may be the label set, the likeliest first.

    `known` are the demonstrated labels in lower case; `shown` says that there are demonstrations. Without any, only
    lists that the words around them call labels are proposed.
    """
    for proposals in (
        _bulleted(instruction, known=known, shown=shown),
        _inline(instruction, known=known),
        _quoted(instruction, shown=shown),
        _enumerated(instruction, known=known),
        _families(instruction),
        _scales(instruction, shown=shown),
        _conditional(instruction),
    ):
        for items in proposals:
            labels = tuple(dict.fromkeys(_in_one_case(items) if not shown else items))
            if 2 <= len(labels) <= _MOST_LABELS and all(_is_label(label) for label in labels):
                yield labels


def seems_to_classify(instruction: str) -> bool:
    """Whether the words ask for one of a set of classes, whichever those are."""
    return bool(_CLASSIFIES.search(instruction))


def _is_label(item: str) -> bool:
    return 0 < len(item) <= _LONGEST_LABEL and not _PLACEHOLDER.search(item)


def _bare(item: str) -> str:
    bare = item.strip(_AROUND).removeprefix("- ").lstrip(_AROUND)
    return bare if "(" in bare else bare.rstrip(_AROUND + ")")


def _bulleted(instruction: str, *, known: frozenset[str], shown: bool) -> Iterator[list[str]]:
    lines = instruction.split("\n")
    above, items = "", list[str]()
    for line in [*lines, ""]:
        match = _BULLET.match(line)
        if match:
            items.append(line[match.end() :])
            continue
        if items and (shown or _CUE.search(above)):
            yield _as_answered(items, known) or [_head(item) for item in items]
        if line.strip() or items:
            above, items = line, []


def _as_answered(items: Sequence[str], known: frozenset[str]) -> list[str]:
    """The items whole, where the answers have what is in brackets, too ("location (proximity)"); else nothing."""
    whole = [_bare(item) for item in items]
    return whole if any("(" in item and item.casefold() in known for item in whole) else []


def _head(item: str) -> str:
    """The label of a list item, without the words that explain it ("refund: the customer wants money back")."""
    quoted = _QUOTED.match(item.strip().lstrip("*_"))
    if quoted:
        return _bare(quoted[0])
    return _bare(re.split(r"[*_`]*[ \t]*(?:[:：=]|[ \t][-–—][ \t]|[ \t]\()", item, maxsplit=1)[0])


def _inline(instruction: str, *, known: frozenset[str]) -> Iterator[list[str]]:
    for match in (*_COLON_LIST.finditer(instruction), *_WORD_LIST.finditer(instruction)):
        text = _SENTENCE.split(match["items"], maxsplit=1)[0]
        bare = text.strip()
        told = _SEPARATOR.split(bare[1:-1] if bare[:1] == "[" and bare[-1:] == "]" else text)
        items = _as_answered(told, known) or [_bare(re.split(r"[ \t]\(", item, maxsplit=1)[0]) for item in told]
        items = [item for item in items if item]
        if items and all(len(item.split()) <= 4 for item in items):
            yield items
        elif len(items) > 2 and all(len(item.split()) <= 4 for item in items[:-1]):
            yield items[:-1]  # the last one runs into the rest of the sentence
    for match in _CHINESE_LIST.finditer(instruction):
        yield _chinese_items(match["items"])


def _chinese_items(told: str) -> list[str]:
    """The items of "正面、负面或中性"; none, where one is too long for a label, or may be more than one."""
    *items, last = re.split(r"[、，,/]", _CHINESE_COUNT.sub("", told.strip()))
    said_or = "或" in last
    if not said_or and re.search("[与與及]", last):  # stands in names, too
        return []
    items += re.split(r"或者?是?" if said_or else r"(?<=.)和(?=.)", last, maxsplit=1)
    bare = [_bare(item) for item in items if _bare(item)]
    return bare if all(len(item) <= 8 and not _CHINESE_PROSE.search(item) for item in bare) else []


def _quoted(instruction: str, *, shown: bool) -> Iterator[list[str]]:
    """Words in quotation marks, those of one style together.

    Without demonstrations to agree with, a sentence must say that they are answers, and there must be no others.
    """
    by_style: dict[str, list[str]] = {}
    for match in _QUOTED.finditer(instruction):
        if not _PLACEHOLDER.search(match[0]):
            by_style.setdefault(match[0][0], []).append(_bare(match[0]))
    if shown:
        yield from by_style.values()
        yield [item for items in by_style.values() for item in items]
    elif not _JSON_KEY.search(instruction):
        told = [sentence for sentence in _SENTENCE.split(instruction) if len(_QUOTED.findall(sentence)) > 1]
        for sentence in told:
            if _OR_QUOTED.search(sentence) and _tells_answers(sentence):
                yield [_bare(match[0]) for match in _QUOTED.finditer(sentence) if not _PLACEHOLDER.search(match[0])]
        if len(by_style) == 1 and any(map(_tells_answers, told)):
            yield from by_style.values()
        yield from _listed_in_one_pair_of_marks(told or [instruction])


def _tells_answers(sentence: str) -> bool:
    asks = sentence.rstrip().endswith("?") and _OR_QUOTED.search(sentence)
    return bool(asks or _CUE.search(sentence) or _ANSWER_CUE.search(sentence))


def _listed_in_one_pair_of_marks(sentences: Sequence[str]) -> Iterator[list[str]]:
    """A whole list within one pair of quotation marks: `categories "a, b, c or d"`."""
    for sentence in sentences:
        for match in _LIST_IN_MARKS.finditer(sentence) if _CUE.search(sentence) else ():
            *items, last = _LIST_JOINT.split(match["items"])
            pair = re.split(r"[ \t]+or[ \t]+", last) if not _ENDS_JOINED.search(match["items"]) else [last]
            yield [_bare(item) for item in (*items, *pair) if _bare(item)]


def _conditional(instruction: str) -> Iterator[list[str]]:
    """Answers that are each told with their case: "Output 1 for spam, and 0 for ham", "'yes' if so, otherwise 'no'"."""
    found: list[str] = []
    for sentence in _CLAUSE.split(instruction):
        for match in _CASE.finditer(sentence) if _ANSWER_CUE.search(sentence) or found else ():
            found += [_bare(group) for group in match.groups() if group]
    if len(set(map(str.casefold, found))) > 1:
        yield found
    for match in _DIGITS_LISTED.finditer(instruction):
        line = instruction[max(0, match.start() - _SCALE_REACH) : match.start()]
        if _ANSWER_CUE.search(_SENTENCE.split(line)[-1]):
            yield re.findall(r"\d+", match[0])


def _enumerated(instruction: str, *, known: frozenset[str]) -> Iterator[list[str]]:
    """Unquoted enumerations ("as 1, 2, or 3") that hold every demonstrated label."""
    if not known:
        return
    for sentence in _SENTENCE.split(instruction):
        folded = sentence.casefold()
        if len(sentence) > _LONGEST_LIST or not all(label in folded for label in known):
            continue
        if _STAYS_OPEN.search(sentence):
            continue
        told = _after_colon(sentence.strip().rstrip("."), known)
        joints = [match for match in _SEPARATOR.finditer(told) if match.end() < len(told)]
        bounds = [0, *(at for match in joints for at in match.span()), len(told)]
        pieces = [told[start:stop] for start, stop in zip(bounds[::2], bounds[1::2], strict=True)]
        last = next((number for number, match in enumerate(joints, start=1) if _LAST_JOINT.search(match[0])), None)
        if (run := _run_of_labels(pieces, known, last=last)) is not None:
            yield run


def _after_colon(sentence: str, known: frozenset[str]) -> str:
    """What stands behind the colon, where all labels do: scripts without blanks have nothing else before the first."""
    rest = re.split(r"[:：]", sentence)[-1]
    return rest if all(label in rest.casefold() for label in known) else sentence


def _run_of_labels(pieces: Sequence[str], known: frozenset[str], *, last: int | None) -> list[str] | None:
    """The run of neighbouring pieces in which every label begins, ends or is a piece, and what is listed with them.

    An enumeration goes on to the piece behind its "or", whose number is `last`.
    """
    hits = [number for number, piece in enumerate(pieces) if any(_touches(piece, label) for label in known)]
    if not hits or hits[-1] == hits[0]:
        return None
    low, high = hits[0], hits[-1]
    longest = max(len(label.split()) for label in known)
    while low > 0 and len(pieces[low - 1].split()) == 1:
        low -= 1
    # A list goes on behind the last label that is shown: to its "or", or as long as its pieces are like labels.
    if last is not None and all(0 < len(piece.split()) <= 4 for piece in pieces[high + 1 : last]):
        high = max(high, last - 1)
    while last is None and high + 1 < len(pieces) and 0 < len(pieces[high + 1].split()) <= longest:
        high += 1
    labels = _told_apart(pieces[low : high + 1], known)
    if last == high + 1 and (words := pieces[last].split()):
        whole = len(words) <= longest or (last + 1 == len(pieces) and not _runs_on(pieces[last]))
        kept = 2 if _QUALIFIER.fullmatch(words[0]) and _bare("".join(words[1:2])).casefold() in known else 1
        labels.append(_bare(pieces[last] if whole else " ".join(words[:kept])))
    return labels if all(0 < len(label.split()) <= 4 for label in labels) else None


def _runs_on(piece: str) -> bool:
    """Whether the sentence goes on behind the first word: "neutral in tone", "negative sentiment", not "not enough"."""
    words = piece.split()
    return len(words) > 4 or bool(_GOES_ON.match(piece) or _FOLLOWS_LABELS.fullmatch(" ".join(words[1:])))


def _touches(piece: str, label: str) -> bool:
    words, wanted = [_bare(word).casefold() for word in piece.split()], label.split()
    return words[: len(wanted)] == wanted or words[-len(wanted) :] == wanted


def _told_apart(pieces: Sequence[str], known: frozenset[str]) -> list[str]:
    """The label of each piece; where several have the same, "half true" and "very positive" are labels of their own."""
    labels = [_label_in(piece, known) for piece in pieces]
    folded = [label.casefold() for label in labels]
    return [
        _qualified(piece, label) if folded.count(label.casefold()) > 1 else label
        for piece, label in zip(pieces, labels, strict=True)
    ]


def _qualified(piece: str, label: str) -> str:
    """The label with the word before it, where that says how much ("very positive")."""
    words = [_bare(word) for word in piece.split()]
    before = " ".join(words).removesuffix(label).split()
    is_last = " ".join(words).endswith(label)
    return f"{before[-1]} {label}" if is_last and before and _QUALIFIER.fullmatch(before[-1]) else label


def _label_in(piece: str, known: frozenset[str]) -> str:
    for label in sorted(known, key=len, reverse=True):
        if _touches(piece, label):
            count = len(label.split())
            words = piece.split()
            first = [_bare(word).casefold() for word in words[:count]] == label.split()
            return _bare(" ".join(words[:count] if first else words[-count:]))
    return _bare(piece)


def _families(instruction: str) -> Iterator[list[str]]:
    """Well-known label sets in a sentence that says what to answer ("Output positive, negative or neutral.")."""
    for sentence in _SENTENCE.split(instruction):
        words = [_bare(word).strip(",;").casefold() for word in sentence.replace("/", " ").split()]
        for family in CLOSED_FAMILIES:
            named = family & set(words)
            if len(named) < 2 or not _ends_clause(sentence, named):
                continue
            asked = sentence.rstrip().endswith("?")  # "Is it positive or negative?"
            cues = (_ANSWER_CUE, _CUE, _RATES)
            if asked or set(words) <= named | _OR or any(cue.search(sentence) for cue in cues):
                yield from _enumerated(sentence.rstrip("?!) "), known=named)


def _in_one_case(items: Sequence[str]) -> list[str]:
    """ "Yes, no" as "Yes, No": where only the first is capitalised, it is because a sentence begins there."""
    first, *others = items or [""]
    begins = first[:1].isupper() and first[1:].islower() and others and all(item.islower() for item in others)
    return [item.capitalize() for item in items] if begins else list(items)


def _scales(instruction: str, *, shown: bool) -> Iterator[list[str]]:
    """The steps of a scale ("rate it from 1 to 5"), if few; without demonstrations, only where words call it so."""
    for match in _SCALE.finditer(instruction):
        low, high = int(match["low"]), int(match["high"])
        before = instruction[max(0, match.start() - _SCALE_REACH) : match.start()]
        said = match["cue"] or _RATES.search(before) or _LEADS_TO_STEPS.search(before)
        if 0 < high - low < _MOST_STEPS and (shown or said):
            yield [str(step) for step in range(low, high + 1)]


def _ends_clause(sentence: str, labels: frozenset[str]) -> bool:
    """Whether the last of the labels ends a clause: "is positive or negative", not "a positive or negative number"."""
    folded = sentence.casefold()
    end = max(folded.rfind(label) + len(label) for label in labels)
    rest = folded[end:].strip()
    return not rest or rest[0] in ".,;:!?)\"'”" or bool(_FOLLOWS_LABELS.fullmatch(rest))
