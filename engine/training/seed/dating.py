"""Procedures with dates and times in forms that were made up: no English month, no slash, and no answer in ISO form.

The demo's dates are judged with students that start from here, so none of its ways of writing, and not its answers,
may occur. What is practised is the work: finding the parts, looking up names, filling up with zeros, permuting.
"""

from __future__ import annotations

from random import Random
from typing import Final

from engine.training.seed.material import Maker, latin, name, nothing, size
from engine.training.student import Row

__all__ = ["PROCEDURES"]

MONTHS: Final = {
    "Czech": "ledna února března dubna května června července srpna září října listopadu prosince",
    "French": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "Spanish": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "Italian": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "Portuguese": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    "Polish": "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia",
    "Finnish": "tammikuu helmikuu maaliskuu huhtikuu toukokuu kesäkuu heinäkuu elokuu syyskuu lokakuu marraskuu"
    " joulukuu",
    "Turkish": "Ocak Şubat Mart Nisan Mayıs Haziran Temmuz Ağustos Eylül Ekim Kasım Aralık",
    "Russian": "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
    "Greek": "Ιανουάριος Φεβρουάριος Μάρτιος Απρίλιος Μάιος Ιούνιος Ιούλιος Αύγουστος Σεπτέμβριος Οκτώβριος Νοέμβριος"
    " Δεκέμβριος",
    "Arabic": "يناير فبراير مارس أبريل مايو يونيو يوليو أغسطس سبتمبر أكتوبر نوفمبر ديسمبر",
    "Hebrew": "ינואר פברואר מרץ אפריל מאי יוני יולי אוגוסט ספטמבר אוקטובר נובמבר דצמבר",
}
WEEKDAYS: Final = {
    "German": "Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag",
    "French": "lundi mardi mercredi jeudi vendredi samedi dimanche",
    "Spanish": "lunes martes miércoles jueves viernes sábado domingo",
    "Italian": "lunedì martedì mercoledì giovedì venerdì sabato domenica",
    "Polish": "poniedziałek wtorek środa czwartek piątek sobota niedziela",
    "Swedish": "måndag tisdag onsdag torsdag fredag lördag söndag",
    "Russian": "понедельник вторник среда четверг пятница суббота воскресенье",
    "Chinese": "星期一 星期二 星期三 星期四 星期五 星期六 星期日",
}
# d, m and y are numbers, dd and mm have two places, yy is the year's last two.
WRITTEN: Final = (
    "y{y} m{m} d{d}", "{d}~{m}~{y}", "[{y}|{mm}|{dd}]", "d={d} m={m} y={y}", "{y}+{m}+{d}", "<{dd}{mm}{y}>",
    "{m}_{d}_{y}", "{d}:{m}:{y}", "day {d} of {m} in {y}", "({y}) {d}>{m}", "{dd}*{mm}*{yy}", "{y}={d}={m}",
)  # fmt: skip
NAMED: Final = ("{d} {name} {y}", "{name} {d} {y}", "{y} {name} {d}", "{d}. {name} {y}", "{name} {d}", "{d} {name}")
SHORT_NAMED: Final = ("{mm}+{dd}", "{d}~{m}", "m{m}d{d}", "<{mm}{dd}>")


def date_rewritten(settings: Random) -> Maker:
    """A date of made-up form in another made-up form."""
    before, after = settings.sample(WRITTEN, 2)
    before = before.replace("{yy}", "{y}")

    def make(chance: Random) -> Row:
        parts = _day(chance)
        return Row(before.format(**parts), after.format(**parts))

    return make


def dates_rewritten(settings: Random) -> Maker:
    """A date of one of four made-up forms, alone or between words, in one form; or nothing."""
    *before, after = settings.sample(WRITTEN, 5)
    empty = nothing(settings)

    def make(chance: Random) -> Row:
        parts = _day(chance)
        text = chance.choice(before).replace("{yy}", "{y}").format(**parts)
        luck = chance.random()
        if luck < 0.15:
            return Row(" ".join(latin(chance) for _ in range(size(chance, 2, 3))), empty)
        return Row(text if luck < 0.5 else f"{latin(chance)} {text} {latin(chance)}", after.format(**parts))

    return make


def month_numbered(settings: Random) -> Maker:
    """The number of a month that is named in some language."""
    names = MONTHS[settings.choice(sorted(MONTHS))].split()
    width = settings.randint(1, 2)

    def make(chance: Random) -> Row:
        month = chance.randrange(12)
        return Row(chance.choice((names[month], names[month].upper())), f"{month + 1:0{width}}")

    return make


def month_named(settings: Random) -> Maker:
    """The name of a month that is given by its number."""
    names = MONTHS[settings.choice(sorted(MONTHS))].split()

    def make(chance: Random) -> Row:
        month = chance.randrange(12)
        return Row(str(month + 1), names[month])

    return make


def named_date_rewritten(settings: Random) -> Maker:
    """A day with its month's name in one of three languages, in a made-up form of numbers."""
    languages = settings.sample(sorted(MONTHS), 3)
    whole, short = settings.choice(WRITTEN), settings.choice(SHORT_NAMED)

    def make(chance: Random) -> Row:
        parts, before = _day(chance), chance.choice(NAMED)
        names = MONTHS[chance.choice(languages)].split()
        text = before.format(**parts, name=names[int(parts["m"]) - 1])
        return Row(text, (whole if "{y}" in before else short).format(**parts))

    return make


def weekday_numbered(settings: Random) -> Maker:
    """The number of a day of the week, alone or between words."""
    names, first = WEEKDAYS[settings.choice(sorted(WEEKDAYS))].split(), settings.randint(0, 1)

    def make(chance: Random) -> Row:
        day = chance.randrange(7)
        around = latin(chance) if chance.random() < 0.5 else ""
        return Row(f"{around} {names[day]}".strip(), str(day + first))

    return make


def weekday_moved(settings: Random) -> Maker:
    """The name of the day so many days later."""
    names, sign = WEEKDAYS[settings.choice(sorted(WEEKDAYS))].split(), settings.choice((" + ", " +", " > "))

    def make(chance: Random) -> Row:
        day, more = chance.randrange(7), chance.randrange(1, 6)
        return Row(f"{names[day]}{sign}{more}", names[(day + more) % 7])

    return make


def clock_of_24(settings: Random) -> Maker:
    """A time of a clock with two halves of a day, in 24 hours."""
    halves, between = settings.choice((("am", "pm"), (" AM", " PM"), ("a", "p"), (" v", " n"))), settings.choice(":.h")

    def make(chance: Random) -> Row:
        hour, minute = chance.randrange(24), chance.choice((0, chance.randrange(60)))
        told = f"{(hour - 1) % 12 + 1}" + (f":{minute:02}" if minute or chance.random() < 0.3 else "")
        return Row(told + halves[hour >= 12], f"{hour:02}{between}{minute:02}")

    return make


def clock_rewritten(settings: Random) -> Maker:
    """Hours and minutes in another form."""
    before, after = settings.sample(("{h}h{mm}", "{hh}:{mm}", "{h}.{mm}", "{hh}{mm}", "{h} h {m} m", "{m} past {h}"), 2)

    def make(chance: Random) -> Row:
        hour, minute = chance.randrange(24), chance.randrange(60)
        parts = {"h": hour, "hh": f"{hour:02}", "m": minute, "mm": f"{minute:02}"}
        return Row(before.format(**parts), after.format(**parts))

    return make


def duration_in_minutes(settings: Random) -> Maker:
    """Hours and minutes as minutes."""
    pattern = settings.choice(("{}h {}m", "{}:{:02}", "{} hr {} min", "{}h{:02}"))

    def make(chance: Random) -> Row:
        hours, minutes = chance.randrange(5), chance.randrange(60)
        return Row(pattern.format(hours, minutes), str(60 * hours + minutes))

    return make


def duration_as_code(settings: Random) -> Maker:
    """A number and a made-up unit of time as a code: 3 weels -> T3W."""
    units = {latin(settings): letter for letter in settings.sample("ABDFHKMQSWY", 6)}
    before = settings.choice(("T", "Z", "+", "/"))

    def make(chance: Random) -> Row:
        unit, count = chance.choice(list(units)), chance.randint(1, 60)
        return Row(f"{count} {unit}", f"{before}{count}{units[unit]}")

    return make


def day_moved(settings: Random) -> Maker:
    """A made-up date and a made-up word that moves it by days."""
    moves = {latin(settings): settings.choice((-7, -2, -1, 0, 1, 2, 7)) for _ in range(6)}
    form = settings.choice(WRITTEN[:6])

    def make(chance: Random) -> Row:
        parts = _day(chance, first=8, last=21)
        move = chance.choice(list(moves))
        day = int(parts["d"]) + moves[move]
        return Row(f"{form.format(**parts)} {move}", form.format(**{**parts, "d": str(day), "dd": f"{day:02}"}))

    return make


def year_completed(settings: Random) -> Maker:
    """A year of two digits with its century, which depends on where the year stands."""
    last = settings.randrange(20, 80)
    mark = settings.choice(("'", "", "y"))

    def make(chance: Random) -> Row:
        short = chance.randrange(100)
        return Row(f"{mark}{short:02}", f"{20 if short <= last else 19}{short:02}")

    return make


def who_when(settings: Random) -> Maker:
    """A name and a made-up date out of a line, as two fields."""
    form, cue = settings.choice(WRITTEN), latin(settings)
    after = settings.choice(("{} @ {}", "{1}: {0}", "{}, {}", "{1} {0}"))

    def make(chance: Random) -> Row:
        who, when = name(chance), form.format(**_day(chance))
        return Row(f"{latin(chance)} {who} {cue} {when} {latin(chance)}", after.format(who, when))

    return make


def _day(chance: Random, first: int = 1, last: int = 28) -> dict[str, str]:
    day, month, year = chance.randint(first, last), chance.randint(1, 12), chance.randint(1900, 2060)
    return {
        "d": str(day),
        "dd": f"{day:02}",
        "m": str(month),
        "mm": f"{month:02}",
        "y": str(year),
        "yy": f"{year % 100:02}",
    }


PROCEDURES: Final = (
    date_rewritten, dates_rewritten, month_numbered, month_named, named_date_rewritten, weekday_numbered,
    weekday_moved, clock_of_24, clock_rewritten, duration_in_minutes, duration_as_code, day_moved, year_completed,
    who_when,
)  # fmt: skip
