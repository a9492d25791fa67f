/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

#define DOCUMENT_LIMIT (1u << 20)

void config_merge(json_t *base, json_t *over)
{
	const char *key;
	json_t *v;

	json_object_foreach(over, key, v) {
		json_t *old = json_object_get(base, key);

		if (json_is_object(old) && json_is_object(v))
			config_merge(old, v);
		else
			json_object_set(base, key, v);
	}
}

/* cortado.a.b=v: the object a, its key b. */
static void apply_word(json_t *doc, char *word)
{
	char *eq = strchr(word, '='), *key = word, *dot;

	if (!eq)
		return;
	*eq = '\0';
	while ((dot = strchr(key, '.'))) {
		*dot = '\0';
		json_t *inner = json_object_get(doc, key);
		if (!json_is_object(inner)) {
			inner = json_object();
			json_object_set_new(doc, key, inner);
		}
		doc = inner;
		key = dot + 1;
	}
	json_t *v = json_loads(eq + 1, JSON_DECODE_ANY, NULL);
	json_object_set_new(doc, key, v ? v : json_string(eq + 1));
}

void config_apply_words(json_t *doc, const char *line)
{
	char *copy = strdup(line), *save = NULL;

	if (!copy)
		return;
	for (char *w = strtok_r(copy, " \n", &save); w; w = strtok_r(NULL, " \n", &save)) {
		if (!strcmp(w, "--"))
			break;
		if (!strncmp(w, "cortado.", 8))
			apply_word(doc, w + 8);
	}
	free(copy);
}

static bool refuse(char error[256], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(error, 256, fmt, ap);
	va_end(ap);
	return false;
}

static char **string_array(const json_t *a)
{
	char **out = calloc(json_array_size(a) + 1, sizeof *out);

	for (size_t i = 0; out && i < json_array_size(a); i++) {
		const char *s = json_string_value(json_array_get(a, i));

		if (!s || !(out[i] = strdup(s)))
			return NULL;
	}
	return out;
}

static bool take_env(struct config *c, const json_t *env, char error[256])
{
	const char *key;
	json_t *v;
	size_t n = 0;

	c->envp = calloc(json_object_size(env) + 1, sizeof *c->envp);
	if (!c->envp)
		return refuse(error, "out of memory");
	json_object_foreach((json_t *)env, key, v) {
		if (!json_is_string(v))
			return refuse(error, "env: %s must be a string", key);
		if (asprintf(&c->envp[n++], "%s=%s", key, json_string_value(v)) < 0)
			return refuse(error, "out of memory");
	}
	return true;
}

bool config_add_env(struct config *c, const char *key, const char *value)
{
	size_t n = 0;
	char **more;

	while (c->envp[n])
		n++;
	more = realloc(c->envp, (n + 2) * sizeof *more);
	if (!more)
		return false;
	c->envp = more;
	c->envp[n + 1] = NULL;
	return asprintf(&c->envp[n], "%s=%s", key, value) >= 0;
}

static bool take_restart(struct config *c, const char *s, char error[256])
{
	if (!strcmp(s, "no")) {
		c->restart = RESTART_NO;
	} else if (!strcmp(s, "always")) {
		c->restart = RESTART_ALWAYS;
	} else if (!strncmp(s, "on-failure", 10) && (!s[10] || s[10] == ':')) {
		char *end = "";

		c->restart = RESTART_ON_FAILURE;
		if (s[10])
			c->restart_limit = (int)strtol(s + 11, &end, 10);
		if (*end || c->restart_limit < 0 || (s[10] && !s[11]))
			return refuse(error, "restart: \"%s\" is not on-failure:N", s);
	} else {
		return refuse(error, "restart: \"%s\" is none of no, on-failure[:N], always", s);
	}
	return true;
}

static bool take_choice(int *out, const char *key, const char *s, const char *const *choices, char error[256])
{
	for (int i = 0; choices[i]; i++)
		if (!strcmp(s, choices[i])) {
			*out = i;
			return true;
		}
	return refuse(error, "%s: \"%s\" is not a value it takes", key, s);
}

static bool take_ports(struct config *c, const json_t *ports, char error[256])
{
	c->nports = (int)json_array_size(ports);
	c->ports = calloc((size_t)c->nports + 1, sizeof *c->ports);
	for (int i = 0; c->ports && i < c->nports; i++) {
		c->ports[i] = (int)json_integer_value(json_array_get(ports, (size_t)i));
		if (c->ports[i] < 1 || c->ports[i] > 65535)
			return refuse(error, "ports: each must be 1 to 65535");
	}
	return c->ports || refuse(error, "out of memory");
}

static const char *text(const json_t *doc, const char *key, const char *fallback)
{
	const char *s = json_string_value(json_object_get(doc, key));

	return s ? s : fallback;
}

struct config *config_from_json(json_t *doc, char error[256])
{
	static const char *const exits[] = {"auto", "keep", "poweroff", NULL};
	static const char *const accesses[] = {"none", "read-only", "full", NULL};
	struct config *c = calloc(1, sizeof *c);
	const json_t *api = json_object_get(doc, "api"), *env = json_object_get(doc, "env");
	int choice = 0;

	if (!c || !json_is_object(doc)) {
		refuse(error, "the configuration is not an object");
		goto fail;
	}
	c->name = strdup(text(doc, "name", "app"));
	c->runtime = strdup(text(doc, "runtime", "program"));
	c->cwd = strdup(text(doc, "cwd", "/app"));
	c->argv = string_array(json_object_get(doc, "argv"));
	if (!c->name || !c->runtime || !c->cwd || !c->argv || !c->argv[0]) {
		refuse(error, "argv: an array of strings is needed, the program first");
		goto fail;
	}
	if (!take_env(c, env, error) || !take_ports(c, json_object_get(doc, "ports"), error) ||
	    !take_restart(c, text(doc, "restart", "no"), error))
		goto fail;
	if (!take_choice(&choice, "on_exit", text(doc, "on_exit", "auto"), exits, error))
		goto fail;
	c->on_exit = (enum on_exit)choice;
	if (!take_choice(&choice, "api.access", text(api, "access", api ? "full" : "none"), accesses, error))
		goto fail;
	c->api_access = (enum api_access)choice;
	json_t *port = json_object_get(api, "port");
	c->api_port = port ? (int)json_integer_value(port) : 9000;
	if (c->api_port < 1 || c->api_port > 65535) {
		refuse(error, "api.port: must be 1 to 65535");
		goto fail;
	}
	c->api_plain = json_is_true(json_object_get(api, "plain"));
	c->api_hosts = string_array(json_object_get(api, "hosts"));
	c->resolved = json_incref(doc);
	return c;
fail:
	free(c); /* its parts leak: the agent ends, or a test does */
	return NULL;
}

static bool merge_file(json_t *doc, const char *path, bool required)
{
	size_t len;
	char *s = path ? read_file(path, DOCUMENT_LIMIT, &len) : NULL;
	json_error_t e;

	if (!s) {
		if (required)
			complain("%s: %s", path, strerror(errno));
		return !required;
	}
	json_t *over = json_loadb(s, len, JSON_REJECT_DUPLICATES, &e);
	free(s);
	if (!json_is_object(over)) {
		complain("%s: line %d: %s", path, e.line, over ? "not an object" : e.text);
		json_decref(over);
		return false;
	}
	config_merge(doc, over);
	json_decref(over);
	return true;
}

struct config *config_load(const char *app_json, const char *config_json, const char *cmdline)
{
	json_t *doc = json_object();
	char error[256], *line;
	struct config *c;

	if (!merge_file(doc, app_json, true) || !merge_file(doc, config_json, false))
		return NULL;
	line = cmdline ? read_file(cmdline, DOCUMENT_LIMIT, NULL) : NULL;
	if (line)
		config_apply_words(doc, line);
	free(line);
	c = config_from_json(doc, error);
	if (!c)
		complain("%s: %s", app_json, error);
	json_decref(doc);
	return c;
}
