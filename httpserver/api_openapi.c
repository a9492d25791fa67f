/* SPDX-License-Identifier: BSD-2-Clause */
/* GET /openapi.json: the table of resources as an OpenAPI 3.1 document.
 *
 * The table writes schemas short: s, i, n, b for string, integer, number and boolean, [T], {name:T name:T};
 * s=one|two for one of these words; T? may be null; name~ may be missing. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "api.h"
#include "http.h"

/* "POST /v1/app/stop" becomes post_v1_app_stop. */
static json_t *operation_id(const struct http_route *t)
{
	char id[96];

	snprintf(id, sizeof id, "%s%s", t->method, t->path);
	for (char *p = id; *p; p++)
		*p = isalnum((unsigned char)*p) ? (char)tolower(*p) : '_';
	return json_string(id);
}

static json_t *schema(const char **spec);

static json_t *words(const char **spec)
{
	json_t *list = json_array();

	do {
		const char *word = ++*spec;

		*spec += strcspn(word, "| ]}?");
		json_array_append_new(list, json_stringn(word, (size_t)(*spec - word)));
	} while (**spec == '|');
	return list;
}

/* The fields of an object, up to its brace. */
static void add_fields(json_t *o, const char **spec)
{
	json_t *properties = json_object(), *required = json_array();

	while (**spec && **spec != '}') {
		const char *name = *spec;
		size_t n = strcspn(name, "~:");
		bool optional = name[n] == '~';

		*spec += n + optional + 1;
		json_object_setn_new(properties, name, n, schema(spec));
		if (!optional)
			json_array_append_new(required, json_stringn(name, n));
		*spec += **spec == ' ';
	}
	json_object_set_new(o, "properties", properties);
	json_object_set_new(o, "required", required);
}

/* The type at *SPEC, which is left behind it. */
static json_t *schema(const char **spec)
{
	static const char *const names[] = {['s'] = "string",  ['i'] = "integer", ['n'] = "number",
					    ['b'] = "boolean", ['['] = "array",	  ['{'] = "object"};
	const char kind = *(*spec)++;
	json_t *o = json_object();

	if (kind == '{')
		add_fields(o, spec);
	else if (kind == '[')
		json_object_set_new(o, "items", schema(spec));
	*spec += kind == '{' || kind == '[';
	if (**spec == '=')
		json_object_set_new(o, "enum", words(spec));
	bool null = **spec == '?';
	*spec += null;
	json_object_set_new(o, "type",
			    null ? json_pack("[s,s]", names[(int)kind], "null")
				 : json_string(names[(int)kind]));
	return o;
}

static json_t *schema_of(const char *spec)
{
	return spec ? schema(&spec) : json_object();
}

static json_t *parameters(const char *query)
{
	json_t *list = json_array(), *o = schema_of(query), *type;
	const char *name;

	json_object_foreach(json_object_get(o, "properties"), name, type) json_array_append_new(
		list, json_pack("{s:s,s:s,s:O}", "name", name, "in", "query", "schema", type));
	json_decref(o);
	return list;
}

static json_t *operation(const struct http_route *t)
{
	const char *type = t->produces ? t->produces : "application/json";
	json_t *o = json_pack("{s:s,s:o,s:o,s:{s:{s:s,s:{s:{s:o}}},s:{s:s,s:{s:{s:{s:s}}}}}}", "summary",
			      t->summary, "operationId", operation_id(t), "parameters", parameters(t->query),
			      "responses", "2XX", "description", "success", "content", type, "schema",
			      schema_of(t->answer ? t->answer : "s"), "default", "description",
			      "problem details (RFC 9457)", "content", HTTP_PROBLEM_TYPE, "schema", "$ref",
			      "#/components/schemas/Problem");

	if (o && t->body)
		json_object_set_new(o, "requestBody",
				    json_pack("{s:{s:{s:o}}}", "content", "application/json", "schema",
					      schema_of(t->body)));
	return o;
}

void api_openapi(struct http_request *r)
{
	json_t *paths = json_object();

	for (const struct http_route *t = http_routes; t->method; t++) {
		json_t *item = json_object_get(paths, t->path);
		char verb[8] = "";

		if (!item) {
			item = json_object();
			json_object_set_new(paths, t->path, item);
		}
		for (size_t i = 0; t->method[i] && i < sizeof verb - 1; i++)
			verb[i] = (char)tolower(t->method[i]);
		json_object_set_new(item, verb, operation(t));
	}
	http_reply_json(r, 200,
			json_pack("{s:s,s:{s:s,s:s},s:o,s:{s:{s:o}}}", "openapi", "3.1.0", "info", "title",
				  "Cortado", "version", "1", "paths", paths, "components", "schemas",
				  "Problem", schema_of("{type:s title:s status:i code:s detail:s}")));
}
