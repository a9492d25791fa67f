/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "../config.h"

static json_t *doc(const char *text)
{
	json_t *d = json_loads(text, 0, NULL);

	assert_non_null(d);
	return d;
}

static void refuses(const char *text, const char *about)
{
	char error[256] = "";
	json_t *d = doc(text);

	assert_null(config_from_json(d, error));
	if (!strstr(error, about))
		fail_msg("\"%s\" does not mention \"%s\"", error, about);
	json_decref(d);
}

static void takes_a_full_document(void **state)
{
	char error[256] = "";
	json_t *d = doc("{\"name\":\"x\",\"runtime\":\"java\",\"argv\":[\"/bin/true\",\"a\"],\"env\":{\"K\":\"V\"},"
			"\"ports\":[80,443],\"restart\":\"on-failure:3\",\"on_exit\":\"keep\","
			"\"api\":{\"port\":9001,\"access\":\"read-only\",\"plain\":true}}");
	struct config *c = config_from_json(d, error);

	assert_non_null(c);
	assert_string_equal(c->argv[1], "a");
	assert_null(c->argv[2]);
	assert_string_equal(c->envp[0], "K=V");
	assert_int_equal(c->nports, 2);
	assert_int_equal(c->restart, RESTART_ON_FAILURE);
	assert_int_equal(c->restart_limit, 3);
	assert_int_equal(c->on_exit, ON_EXIT_KEEP);
	assert_int_equal(c->api_access, API_READ_ONLY);
	assert_true(c->api_plain);
	assert_true(config_add_env(c, "CORTADO_GLUE", "/x"));
	assert_string_equal(c->envp[1], "CORTADO_GLUE=/x");
}

static void names_what_is_wrong(void **state)
{
	refuses("{}", "argv");
	refuses("{\"argv\":[]}", "argv");
	refuses("{\"argv\":[1]}", "argv");
	refuses("{\"argv\":[\"x\"],\"env\":{\"K\":1}}", "env");
	refuses("{\"argv\":[\"x\"],\"ports\":[0]}", "ports");
	refuses("{\"argv\":[\"x\"],\"ports\":[70000]}", "ports");
	refuses("{\"argv\":[\"x\"],\"restart\":\"sometimes\"}", "restart");
	refuses("{\"argv\":[\"x\"],\"restart\":\"on-failure:\"}", "restart");
	refuses("{\"argv\":[\"x\"],\"restart\":\"on-failure:2x\"}", "restart");
	refuses("{\"argv\":[\"x\"],\"on_exit\":\"explode\"}", "on_exit");
	refuses("{\"argv\":[\"x\"],\"api\":{\"access\":\"root\"}}", "api.access");
	refuses("{\"argv\":[\"x\"],\"api\":{\"port\":0}}", "api.port");
}

static void without_an_api_there_is_no_access(void **state)
{
	char error[256];
	json_t *d = doc("{\"argv\":[\"x\"]}");

	assert_int_equal(config_from_json(d, error)->api_access, API_NONE);
}

static void stronger_sources_win_key_by_key(void **state)
{
	json_t *base = doc("{\"a\":1,\"api\":{\"port\":1,\"access\":\"full\"}}"), *over = doc("{\"api\":{\"port\":2}}");

	config_merge(base, over);
	config_apply_words(base, "quiet cortado.api.port=3 cortado.name=shop cortado.deep.er=true -- cortado.a=9");
	assert_int_equal(json_integer_value(json_object_get(json_object_get(base, "api"), "port")), 3);
	assert_string_equal(json_string_value(json_object_get(json_object_get(base, "api"), "access")), "full");
	assert_string_equal(json_string_value(json_object_get(base, "name")), "shop");
	assert_true(json_is_true(json_object_get(json_object_get(base, "deep"), "er")));
	assert_int_equal(json_integer_value(json_object_get(base, "a")), 1);
	json_decref(base);
	json_decref(over);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_a_full_document),
		cmocka_unit_test(names_what_is_wrong),
		cmocka_unit_test(without_an_api_there_is_no_access),
		cmocka_unit_test(stronger_sources_win_key_by_key),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
