"""The words by which people mark examples, in many languages; it knows no layout.

Every table is in lower case. A word missing here costs confidence, not correctness: unknown field names are still
recognised when they repeat.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = [
    "ASIDE_NAMES",
    "CLOSING_OPENERS",
    "CONNECTORS",
    "EXAMPLE_WORDS",
    "HANDING_OVER",
    "INPUT_NAMES",
    "INSTRUCTION_NAMES",
    "LISTED_INPUTS",
    "LISTED_OUTPUTS",
    "OPENERS",
    "OUTPUT_NAMES",
    "PARTNERS",
    "PLEASE",
    "REASONING_NAMES",
    "YOUR_TURN",
    "any_of",
]


def any_of(words: Iterable[str]) -> str:
    """A pattern for any one of the words; the longest that fits is taken."""
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


def _words(text: str) -> frozenset[str]:
    return frozenset(part.strip() for part in text.split(",") if part.strip())


_INPUTS = _words(
    "input, inputs, in, eingabe, entrée, entree, entrada, ingresso, invoer, indata, syöte, wejście, vstup, "
    "girdi, giriş, вход, ввод, входные данные, вхід, 输入, 輸入, 入力, 입력, مدخل, المدخل, إدخال, ورودی, קלט, "
    "इनपुट, đầu vào, masukan, bemenet, intrare, είσοδος, อินพุต, ইনপুট, inndata, given"
)
_OUTPUTS = _words(
    "output, outputs, out, expected, expected output, desired output, ausgabe, sortie, salida, saída, saida, "
    "uscita, uitvoer, utdata, tuloste, wyjście, výstup, çıktı, çıkış, выход, вывод, ответ, вихід, 输出, 輸出, "
    "出力, 출력, مخرج, المخرج, إخراج, خروجی, פלט, आउटपुट, đầu ra, keluaran, kimenet, ieșire, έξοδος, เอาต์พุต, "
    "আউটপুট, response, answer, label, result, completion, target"
)
_QUESTIONS = _words(
    "q, question, frage, f, pregunta, p, pergunta, domanda, d, вопрос, в, питання, 问题, 问, 問題, 問, 質問, "
    "질문, 문제, 문, kysymys, k, vraag, v, soru, s, pytanie, fråga, spørgsmål, spørsmål, سؤال, س, שאלה, प्रश्न, "
    "câu hỏi, pertanyaan, otázka, kérdés, ερώτηση, întrebare"
)
_ANSWERS = _words(
    "a, answer, antwort, respuesta, r, resposta, risposta, réponse, reponse, ответ, о, відповідь, 答案, 回答, "
    "答, 답변, 답, 대답, vastaus, v, antwoord, cevap, c, odpowiedź, odpowiedz, o, svar, s, جواب, إجابة, ج, "
    "תשובה, उत्तर, trả lời, jawaban, odpověď, válasz, απάντηση, răspuns"
)
_SPEAKERS = _words(
    "user, human, customer, person, utilisateur, usuario, usuária, usuário, utente, nutzer, benutzer, kunde, "
    "mensch, gebruiker, пользователь, человек, 用户, 使用者, ユーザー, 사용자, käyttäjä, kullanıcı, użytkownik, "
    "client, student"
)
_REPLIERS = _words(
    "assistant, ai, bot, chatbot, model, agent, system, gpt, claude, asistente, assistente, assistent, "
    "ассистент, бот, 助手, 助理, アシスタント, 어시스턴트, avustaja, asistan, asystent, support, response, "
    "tutor, teacher"
)
_TEXTS = _words(
    "text, sentence, review, tweet, message, passage, document, article, query, problem, source, word, phrase, "
    "statement, prompt, headline, email, e-mail, comment, post, utterance, content, context, premise, original, "
    "before, incorrect, code, paragraph, request, claim, snippet, description, example, title, name, item, "
    "expression, number, list, data, table, words, sentence 1, sentence1, text 1, english, src, x, raw, draft, "
    "transcript, story, poem, quote, abstract, subject, command, ticket, complaint, inquiry, feedback, "
    "satz, phrase, texto, frase, testo, zin, tekst, "
    "lause, teksti, предложение, текст, 文本, 句子, 原文, 文, 文章, 문장, 텍스트, cümle, metin, mening, "
    "nachricht, mensaje, mensagem, messaggio, сообщение, 消息, 評論, 评论"
)
_ANSWERED = _words(
    "label, sentiment, category, class, classification, intent, topic, summary, translation, answer, response, "
    "result, target, prediction, completion, paraphrase, corrected, correction, correct, after, sql, json, "
    "entities, entity, tag, tags, score, rating, keywords, keyword, meaning, solution, reply, rewritten, "
    "rewrite, simplified, emotion, language, verdict, python, code, output, title, headline, regex, command, "
    "type, relation, date, dates, value, y, tgt, normalized, normalised, parsed, tl;dr, tldr, antonym, synonym, "
    "plural, definition, explanation, french, german, spanish, chinese, english, improved, formal, toxicity, "
    "priority, department, route, stance, gist, subject, etikett, kategorie, klasse, catégorie, étiquette, "
    "categoría, etiqueta, categoria, etichetta, категория, метка, 标签, 標籤, 类别, 分类, 翻译, 译文, 摘要, "
    "ラベル, 分類, 翻訳, 라벨, 번역, übersetzung, traduction, traducción, tradução, traduzione, перевод, "
    "luokka, käännös, vertaling, tłumaczenie, sentimiento, stimmung, ergebnis, résultat, resultado, risultato, "
    "результат, 结果, 結果, zusammenfassung, résumé, resumen, resumo"
)

PARTNERS: tuple[tuple[frozenset[str], frozenset[str]], ...] = (
    (_INPUTS, _OUTPUTS),
    (_QUESTIONS, _ANSWERS),
    (_SPEAKERS, _REPLIERS),
)
"""Names that belong together whatever stands between them, the surest first."""

INPUT_NAMES = _INPUTS | _QUESTIONS | _SPEAKERS | _TEXTS
OUTPUT_NAMES = _OUTPUTS | _ANSWERS | _REPLIERS | _ANSWERED

LISTED_INPUTS = _words(
    "inputs, the inputs, questions, sentences, texts, prompts, queries, messages, words, problems, eingaben, fragen, "
    "sätze, entrées, questions posées, phrases, entradas, preguntas, perguntas, frases, domande, frasi, invoer, "
    "vragen, входы, вопросы, предложения, syötteet, kysymykset, 输入, 问题, 入力, 質問, 입력, 질문, المدخلات, "
    "الأسئلة, girdiler, sorular"
)
LISTED_OUTPUTS = _words(
    "outputs, the outputs, expected outputs, desired outputs, correct outputs, expected, answers, expected answers, "
    "responses, expected responses, labels, translations, results, expected results, solutions, completions, "
    "ausgaben, antworten, sorties, réponses, salidas, respuestas, saídas, respostas, risposte, uitvoer, antwoorden, "
    "выходы, ответы, tulosteet, vastaukset, 输出, 答案, 回答, 出力, 答え, 출력, 답변, المخرجات, الإجابات, "
    "çıktılar, cevaplar"
)
"""Above a whole list of inputs, and above the list of what belongs to them."""

ASIDE_NAMES = _words(
    "explanation, reason, rationale, why, note, notes, comment, justification, erklärung, begründung, "
    "explication, explicación, explicação, spiegazione, объяснение, 解释, 解説, 説明, 理由, 설명, selitys, "
    "perustelu, uitleg, açıklama, wyjaśnienie"
)
"""Fields after an answer that explain it to people; they are no part of the answer."""

REASONING_NAMES = _words("reasoning, thought, thoughts, thinking, chain of thought, scratchpad, 思考, 推理")
"""Fields before an answer that think aloud; they are part of neither side."""

INSTRUCTION_NAMES = _words(
    "instruction, instructions, task, task description, task definition, definition, prompt, system, system "
    "prompt, goal, description, aufgabe, anweisung, anweisungen, consigne, consignes, instrucción, "
    "instrucciones, tarea, instrução, tarefa, istruzioni, compito, инструкция, задание, задача, 指令, 任务, "
    "说明, 指示, タスク, 지시, 작업, ohje, ohjeet, tehtävä, taak, görev, opdracht, instructie, uppgift, instruktion, "
    "zadanie, instrukcja, polecenie, úkol, pokyn, feladat, utasítás, sarcină, tugas, instruksi, nhiệm vụ, yêu cầu, "
    "εργασία, οδηγία, οδηγίες, завдання, інструкція, المهمة, مهمة, التعليمات, تعليمات, وظیفه, دستور, משימה, הוראות, "
    "कार्य, निर्देश, งาน, คำสั่ง"
)

EXAMPLE_WORDS = _words(
    "example, examples, e.g., demonstration, demonstrations, demos, few-shot, few shot, sample, samples, "
    "illustration, instances, beispiel, beispiele, exemple, exemples, ejemplo, ejemplos, exemplo, exemplos, "
    "esempio, esempi, voorbeeld, voorbeelden, esimerkki, esimerkkejä, esimerkit, esimerkkiä, exempel, eksempel, "
    "eksempler, przykład, przykłady, příklad, příklady, örnek, örnekler, пример, примеры, приклад, приклади, "
    "例, 例子, 示例, 样例, 範例, 范例, 例如, 예, 예시, 예제, مثال, أمثلة, דוגמה, דוגמאות, उदाहरण, ví dụ, "
    "contoh, példa, példák, exemplu, exemple, παράδειγμα, παραδείγματα, ตัวอย่าง, উদাহরণ"
)

OPENERS = (
    "for example", "for instance", "e.g.", "eg.", "example", "as an example", "such as", "zum beispiel", "z. b.",
    "z.b.", "beispielsweise", "par exemple", "p. ex.", "por ejemplo", "p. ej.", "por exemplo", "per esempio",
    "ad esempio", "bijvoorbeeld", "bijv.", "esimerkiksi", "esim.", "till exempel", "t.ex.", "for eksempel",
    "na przykład", "np.", "například", "örneğin", "mesela", "например", "наприклад", "例如", "比如", "例えば",
    "たとえば", "예를 들어", "예를 들면", "على سبيل المثال", "מثلاً", "לדוגמה", "उदाहरण के लिए", "ví dụ",
    "misalnya", "contohnya", "például", "de exemplu", "για παράδειγμα",
)  # fmt: skip
"""How a sentence begins that gives an example in passing."""

CONNECTORS = (
    "should give", "should yield", "should return", "should become", "should be labeled as",
    "should be labelled as", "should be classified as", "should be translated as", "should be translated to",
    "should be mapped to", "should be", "should output", "should produce", "should result in", "should map to",
    "should read", "must become", "must give", "must return", "will give", "will become", "would give", "would be",
    "would become", "would yield", "would return", "can be rewritten as", "can become", "gives", "yields",
    "returns", "becomes", "produces", "is classified as", "is labeled as", "is labelled as", "is translated as",
    "maps to", "is mapped to", "is", "means", "has the label", "has the answer", "the answer is",
    "the answer should be", "the output is", "the output should be", "the output would be", "your answer should be",
    "you should answer", "you should output", "you should return", "you should write", "you answer", "you write",
    "you say", "you reply", "answer",
    "output", "return", "write", "say", "=", ":", "->", "=>", "→", "⇒", "-->", "ergibt", "wird zu",
    "sollte ergeben", "soll ergeben", "wird", "donne", "devient", "devrait donner", "doit donner", "debería dar",
    "debe dar", "da", "devuelve", "se convierte en", "deve dar", "deve resultar em", "torna-se", "dovrebbe dare",
    "diventa", "dà", "moet geven", "geeft", "wordt", "antaa", "pitäisi antaa", "tulisi antaa", "ska ge", "ger",
    "blir", "skal give", "powinno dać", "daje", "verir", "должно дать", "даёт", "дает", "становится",
    "превращается в", "应该得到", "应得到", "应输出", "得到", "变成", "输出", "となる", "になります", "は", "→",
)  # fmt: skip
"""What stands between the quoted input and the quoted output of an example in passing."""

CLOSING_OPENERS = (
    "now", "now,", "your turn", "complete the following", "answer the following", "here is the", "here's the",
    "the input is", "input:", "begin", "let's begin", "let's start", "go!", "ready?", "please complete", "jetzt",
    "nun", "maintenant", "à toi", "ahora", "tu turno", "agora", "adesso", "ora", "nyt", "теперь", "现在", "接下来",
    "では", "それでは", "이제",
)  # fmt: skip
"""How the words begin that lead from the examples to the input at hand."""

HANDING_OVER = _words(
    "folgende, folgenden, folgendes, folgender, diese, diesen, dieses, hier ist, hier kommt, suivant, "
    "suivante, suivants, voici, siguiente, siguientes, aquí está, aquí tienes, seguinte, seguintes, "
    "aqui está, seguente, seguenti, ecco, volgende, hier is, seuraava, seuraavan, tässä on, följande, "
    "här är, følgende, her er, następujący, następującą, następujące, oto, následující, zde je, aşağıdaki, "
    "işte, următorul, următoarea, iată, következő, íme, berikut, sau, đây là, следующее, следующий, "
    "следующую, следующие, вот, наступне, наступний, ось, ακόλουθο, ορίστε, 以下, 下面, 下列, 这是, 這是, 次の, "
    "こちら, 다음, 아래, التالي, التالية, الآتي, إليك, زیر, הבא, הבאה, הנה, निम्नलिखित, ต่อไปนี้"
)
"""Words of a sentence that hands over the input at hand, in other languages than English."""

PLEASE = _words(
    "bitte, s'il te plaît, s'il vous plaît, veuillez, por favor, per favore, alstublieft, ole hyvä, snälla, "
    "vennligst, venligst, proszę, prosím, lütfen, te rog, vă rog, kérlek, kérem, tolong, mohon, vui lòng, "
    "пожалуйста, будь ласка, παρακαλώ, 请, 請, ください, お願いします, 해주세요, 세요, من فضلك, رجاء, لطفا, "
    "בבקשה, कृपया, โปรด, กรุณา"
)

YOUR_TURN = _words(
    "jetzt du, jetzt sie, du bist dran, à toi, à vous, c'est à toi, ahora tú, te toca, tu turno, sua vez, "
    "agora você, tocca a te, jouw beurt, nu jij, sinun vuorosi, nyt sinä, din tur, twoja kolej, teď ty, "
    "sıra sende, твоя очередь, теперь ты, 轮到你, 輪到你, 轮到你了, あなたの番, 네 차례, دورك, תורך, अब आप"
)
