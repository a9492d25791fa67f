/* SPDX-License-Identifier: BSD-2-Clause */
/* GET /openapi.json: the table of resources as an OpenAPI 3.1 document. */
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

/* The query arguments NAMES ("name name"). */
static json_t *parameters(const char *names)
{
	json_t *list = json_array();

	for (size_t n; names && *names; names += n + (names[n] == ' ')) {
		n = strcspn(names, " ");
		json_array_append_new(list, json_pack("{s:s#,s:s,s:{s:s}}", "name", names, n, "in", "query",
						      "schema", "type", "string"));
	}
	return list;
}

static json_t *operation(const struct http_route *t)
{
	json_t *o = json_pack("{s:s,s:o,s:o,s:{s:{s:s,s:{s:{}}},s:{s:s,s:{s:{s:{s:s}}}}}}", "summary",
			      t->summary, "operationId", operation_id(t), "parameters", parameters(t->query),
			      "responses", "2XX", "description", "success", "content",
			      t->produces ? t->produces : "application/json", "default", "description",
			      "problem details (RFC 9457)", "content", HTTP_PROBLEM_TYPE, "schema", "$ref",
			      "#/components/schemas/Problem");

	if (o && t->body)
		json_object_set_new(o, "requestBody",
				    json_pack("{s:{s:{s:{s:s,s:{s:{s:s,s:i}}}}}}", "content",
					      "application/json", "schema", "type", "object", "properties",
					      t->body, "type", "number", "minimum", 0));
	return o;
}

static json_t *problem_schema(void)
{
	return json_pack("{s:s,s:[s,s,s],s:{s:{s:s},s:{s:s},s:{s:s},s:{s:s},s:{s:s}}}", "type", "object",
			 "required", "title", "status", "code", "properties", "type", "type", "string",
			 "title", "type", "string", "status", "type", "integer", "code", "type", "string",
			 "detail", "type", "string");
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
				  "Problem", problem_schema()));
}
