/*
 * Which questions are the same, and above all which are not.
 */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/mem.h"
#include "lib/rag/paraphrase.h"
#include "tests/suite.h"

static struct csa_arena	*arena;

static void
setup(void)
{
	arena = csa_arena_new();
}

static void
teardown(void)
{
	csa_arena_free(arena);
}

static bool
same(const char *a, const char *b)
{
	return csa_same_question(arena, a, strlen(a), b, strlen(b));
}

static const char *const alike[][2] = {
	{ "What is the capital of France?", "what is the capital of france" },
	{ "What is the capital of France?", "Tell me the capital of France." },
	{ "What is the capital of France?",
	    "Could you please tell me what the capital of France is?" },
	{ "What is the capital of France?", "What is France's capital?" },
	{ "What is the price of bread in Paris?",
	    "In Paris, what is the price of bread?" },
	{ "How do I enable dark mode?", "How can I enable dark mode?" },
	{ "How do I enable dark mode?", "How to enable dark mode" },
	{ "How do I enable dark mode?",
	    "Can you tell me how I can enable dark mode?" },
	{ "How do I turn on the GPS?", "How do I turn the GPS on?" },
	{ "How do I turn on the GPS?", "How can I activate GPS?" },
	{ "How do I turn off the GPS?", "How to disable the GPS" },
	{ "Do you know when the library opens?", "When does the library open?" },
	{ "What's the maximum speed?", "What is the maximum speed" },
	{ "What are the opening hours of the main library?",
	    "What are the main library's opening hours?" },
	{ "Which movie is on tv?", "Which films are on television?" },
	{ "How many planets are there?", "How many planets are there" },
	{ "Can five people share it?", "Can 5 people share it?" },
	{ "Is the first floor open?", "Is the 1st floor open?" },
	{ "Does it take 10km?", "Does it take 10 km?" },
	{ "Does it cost 10,000 euros?", "Does it cost 10000 euros?" },
	{ "Do I have to register?", "Must I register?" },
	{ "Don't dogs bark?", "Do not dogs bark?" },
	{ "I want to know who wrote Faust.", "Who wrote Faust?" },
	{ "Can you tell me if the dogs bark?", "Do the dogs bark?" },
	{ "WHAT IS THE PRICE?", "what is the price" },
	{ "Wann \xc3\xb6" "ffnet das Museum?", "wann \xc3\xb6" "ffnet das museum" },
	{ "Wann \xc3\xb6" "ffnet das Museum?",
	    "Wann \xc3\xb6" "ffnet denn das Museum bitte?" },
	{ "Quelle est la capitale de la France ?",
	    "quelle est la capitale de la france" },
	{ "Combien co\xc3\xbbte l'entr\xc3\xa9" "e pour un enfant ?",
	    "Combien co\xc3\xbbte l\xe2\x80\x99" "entr\xc3\xa9" "e pour un enfant?" },
	{ "\xc2\xbf" "Cu\xc3\xa1nto cuesta la entrada?",
	    "cu\xc3\xa1nto cuesta la entrada" },
	{ "Dove si trova il museo?", "dove si trova il museo" },
	{ "Onde fica o museu?", "onde fica o museu" },
	{ "Waar is het museum?", "waar is het museum" },
	/* No language of ours: marks, case and white space alone. */
	{ "Kde je muzeum?", "Kde je muzeum" },
	{ "\xe5\x8d\x9a\xe7\x89\xa9\xe9\xa6\x86?",
	    "\xe5\x8d\x9a\xe7\x89\xa9\xe9\xa6\x86" },
};

static const char *const unlike[][2] = {
	/* Negation */
	{ "Can I smoke here?", "Can I not smoke here?" },
	{ "Why does it start?", "Why doesn't it start?" },
	{ "Which dogs bark?", "Which dogs never bark?" },
	{ "Does A help?", "Does B help?" },
	{ "Does A help?", "Does it help?" },
	{ "Is there a fee?", "Is there no fee?" },
	{ "Is it safe with milk?", "Is it safe without milk?" },
	{ "Not all dogs bark?", "All dogs do not bark?" },
	{ "Kann ich hier parken?", "Kann ich hier nicht parken?" },
	{ "Gibt es eine Geb\xc3\xbchr?", "Gibt es keine Geb\xc3\xbchr?" },
	{ "Est-ce que le mus\xc3\xa9" "e est ouvert ?",
	    "Est-ce que le mus\xc3\xa9" "e n'est pas ouvert ?" },
	{ "Le chien mange-t-il la soupe avec sel ?",
	    "Le chien mange-t-il la soupe sans sel ?" },
	{ "El museo abre los lunes", "El museo no abre los lunes" },
	{ "Il museo \xc3\xa8 aperto", "Il museo non \xc3\xa8 aperto" },
	{ "O museu abre na segunda", "O museu n\xc3\xa3o abre na segunda" },
	{ "Is het museum open in de winter",
	    "Is het museum niet open in de winter" },
	/* Numbers, units, ordinals, dates */
	{ "Is it safe at 5 degrees?", "Is it safe at 50 degrees?" },
	{ "Is it safe at five degrees?", "Is it safe at six degrees?" },
	{ "How far is 10 km?", "How far is 10 miles?" },
	{ "How far is 10km?", "How far is 10mm?" },
	{ "Who was the first king?", "Who was the second king?" },
	{ "Who was the 1st king?", "Who was the 2nd king?" },
	{ "What happened in May 1945?", "What happened in June 1945?" },
	{ "What happened on 2020-01-02?", "What happened on 2020-02-01?" },
	{ "Is 1.5 enough?", "Is 15 enough?" },
	{ "Does a 5\" screen fit?", "Does a 5' screen fit?" },
	{ "Is it 3 to 5 days?", "Is it 5 to 3 days?" },
	{ "Is <5 good?", "Is >5 good?" },
	{ "Kostet es zwei Euro?", "Kostet es drei Euro?" },
	/* Names, codes, quotes */
	{ "Where is Paris?", "Where is Berlin?" },
	{ "What is the capital of France?", "What is the capital of Spain?" },
	{ "How do I reset the X200?", "How do I reset the X201?" },
	{ "What is C++?", "What is C#?" },
	{ "What does \"open\" mean?", "What does \"close\" mean?" },
	{ "What does WHO recommend?", "What does who recommend?" },
	{ "Is it for US use?", "Is it for us use?" },
	{ "What is error E-17?", "What is error E17?" },
	/* The other way round */
	{ "Does aspirin cause fever?", "Does fever cause aspirin?" },
	{ "How do I get from London to Paris?",
	    "How do I get from Paris to London?" },
	{ "Does the dog chase the cat?", "Is the dog chased by the cat?" },
	{ "Does the dog chase the cat?", "Does the cat chase the dog?" },
	{ "Who is John's father?", "Who is the son of John?" },
	{ "What is the cause of death?", "What is the death of cause?" },
	{ "Is A bigger than B?", "Is B bigger than A?" },
	{ "Convert euros to dollars", "Convert dollars to euros" },
	/* Opposites */
	{ "How do I enable it in winter?", "How do I disable it in winter?" },
	{ "How do I turn on the GPS?", "How do I turn off the GPS?" },
	{ "What is the minimum age?", "What is the maximum age?" },
	{ "What happens before the start?", "What happens after the start?" },
	{ "Does it increase risk?", "Does it decrease risk?" },
	{ "How do I import data?", "How do I export data?" },
	{ "Which is more expensive?", "Which is less expensive?" },
	{ "Who came first?", "Who came last?" },
	{ "Is it possible?", "Is it impossible?" },
	/* The kind of question */
	{ "When did he win?", "Where did he win?" },
	{ "Who built it?", "Why built it?" },
	{ "How many dogs bark?", "How much dogs bark?" },
	{ "How long is the river?", "How old is the river?" },
	{ "Is the river long?", "How long is the river?" },
	{ "What is a camera?", "Is there a camera?" },
	{ "Wann kommt der Zug?", "Wo kommt der Zug?" },
	{ "Quand est le train", "O\xc3\xb9 est le train" },
	/* Tense, duty */
	{ "Who will win the cup?", "Who did win the cup?" },
	{ "When is the party?", "When was the party?" },
	{ "Can I pay later?", "Must I pay later?" },
	{ "May I pay later?", "Should I pay later?" },
	{ "Do I have to pay?", "Do I pay?" },
	{ "Can I know the secret?", "What is the secret?" },
	/* Another thing, or a narrower one */
	{ "Does aspirin help?", "Does ibuprofen help?" },
	{ "What is the price of bread?", "What is the price of fresh bread?" },
	{ "Which cells divide?", "Which cells die?" },
	{ "Who pays his rent?", "Who pays her rent?" },
	{ "Is my phone new?", "Is your phone new?" },
	{ "Is there news?", "Is there new?" },
	{ "Is the police good?", "Is the policy good?" },
	{ "Do both work?", "Do only work?" },
	/* Languages */
	{ "Was ist das?", "What is that?" },
	{ "Kde je muzeum?", "Kde je to muzeum?" },
	{ "Kde je muzeum?", "Kde neni muzeum?" },
	{ "\xe5\x8d\x9a\xe7\x89\xa9\xe9\xa6\x86",
	    "\xe5\x9b\xbe\xe4\xb9\xa6\xe9\xa6\x86" },
	{ "", "" },
	{ "?", "!" },
};

START_TEST(sees_the_same)
{
	const char	*a = alike[_i][0], *b = alike[_i][1];

	ck_assert_msg(same(a, b), "%s | %s", a, b);
	ck_assert_msg(same(b, a), "%s | %s", b, a);
	ck_assert(same(a, a) && same(b, b));
}
END_TEST

START_TEST(sees_the_difference)
{
	const char	*a = unlike[_i][0], *b = unlike[_i][1];

	ck_assert_msg(!same(a, b), "%s | %s", a, b);
	ck_assert_msg(!same(b, a), "%s | %s", b, a);
}
END_TEST

/* No word that is added to either side goes unnoticed, unless it says nothing. */
START_TEST(every_word_counts)
{
	static const char *const words[] = { "not", "no", "never", "without",
	    "blue", "Berlin", "seven", "7", "third", "before", "in", "E17",
	    "must", "will", "always", "only", "her", "(x)", "<", "%" };
	static const char	 frame[] =
	    "when does the library of the museum open on sunday";
	char			 text[200];
	size_t			 n = strlen(frame);

	for (size_t i = 0; i < CSA_NITEMS(words); i++)
		for (size_t at = 0; at <= n; at++) {
			if (at < n && frame[at] != ' ')
				continue;
			snprintf(text, sizeof(text), "%.*s %s%s", (int)at,
			    frame, words[i], frame + at);
			ck_assert_msg(!same(frame, text), "%s", text);
		}
}
END_TEST

START_TEST(long_texts_must_be_equal)
{
	char	 a[4000] = "what is", b[4000];

	for (size_t i = 0; i < CSA_PARAPHRASE_WORDS; i++)
		strcat(a, " a word");
	strcpy(b, a);
	ck_assert(same(a, b));
	b[strlen(b) - 1] = 'x';
	ck_assert(!same(a, b));
	strcpy(b, a);
	b[0] = 'W';
	ck_assert(!same(a, b));
}
END_TEST

/* Whatever it is, it ends, and a text is what it is itself. */
START_TEST(anything_may_come)
{
	char		 s[300];
	unsigned	 seed = 1;

	for (int round = 0; round < 3000; round++) {
		size_t	 n = 0, len = (size_t)rand_r(&seed) % 200;

		while (n < len)
			switch (rand_r(&seed) % 6) {
			case 0:
				s[n++] = ' ';
				break;
			case 1:
				n += (size_t)sprintf(s + n, "\xe2\x80\x99");
				break;
			case 2:
				n += (size_t)sprintf(s + n, " of ");
				break;
			case 3:
				n += (size_t)sprintf(s + n, " in ");
				break;
			case 4:
				n += (size_t)sprintf(s + n, "\xc3\xa9");
				break;
			default:
				s[n++] = (char)(' ' + rand_r(&seed) % 95);
			}
		s[n] = '\0';
		(void)csa_same_question(arena, s, n, s, n);
		(void)same(s, "what is the price of the bread in paris");
		csa_arena_reset(arena);
	}
}
END_TEST

static Suite *
suite(void)
{
	Suite	*s = suite_create("paraphrase");
	TCase	*t = tcase_create("paraphrase");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, sees_the_same, 0, (int)CSA_NITEMS(alike));
	tcase_add_loop_test(t, sees_the_difference, 0,
	    (int)CSA_NITEMS(unlike));
	tcase_add_test(t, every_word_counts);
	tcase_add_test(t, long_texts_must_be_equal);
	tcase_add_test(t, anything_may_come);
	tcase_set_timeout(t, 60);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return run_suite(suite());
}
