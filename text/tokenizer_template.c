/* tokenizer_template.c - the chat templates beside a tokenizer.json. Files of templates go before what the
 * configuration says, as in transformers (PreTrainedTokenizerBase._from_pretrained, get_chat_template):
 * chat_template.jinja is the default one, additional_chat_templates/NAME.jinja others, of which tool_use is asked for
 * where there are tools. */
#include <string.h>
#include <sys/stat.h>

#include "text/tokenizer.h"
#include "base/alloc.h"
#include "base/error.h"
#include "files/safetensors.h"

/* folder/name as text, if it is there. */
static ib_status read_file(const char *folder, const char *name, char **text)
{
    struct stat info;
    size_t size;
    char *path = ib_format_text("%s/%s", folder, name);
    ib_status status = path ? IB_OK : IB_ENOMEM;
    if (path && !stat(path, &info)) {
        *text = (char *)ib_file_read(path, &size); /* ends in a 0 */
        if (!*text)
            status = ib_error_status();
        else if (strlen(*text) != size)
            status = ib_fail(IB_EFORMAT, "%s has a byte of zero", name);
    }
    ib_free(path);
    return status;
}

static ib_status copied(struct json_object *o, const char *key, char **text)
{
    struct json_object *v = ib_json_get(o, key);
    if (!v)
        return IB_OK;
    if (!json_object_is_type(v, json_type_string))
        return ib_fail(IB_EFORMAT, "tokenizer_config.json: '%s' of its chat_template is not a text", key);
    ib_free(*text);
    *text = ib_strdup(json_object_get_string(v));
    return *text ? IB_OK : IB_ENOMEM;
}

/* A text, or a list of {"name", "template"}. */
static ib_status read_config(ib_tokenizer *t, struct json_object *config)
{
    struct json_object *v = ib_json_get(config, "chat_template");
    ib_status status = IB_OK;
    if (!json_object_is_type(v, json_type_array))
        return copied(config, "chat_template", &t->chat_template);
    for (size_t i = 0; i < json_object_array_length(v) && !status; i++) {
        struct json_object *one = json_object_array_get_idx(v, i);
        const char *name = ib_json_text(one, "name");
        if (!name)
            status = ib_fail(IB_EFORMAT, "tokenizer_config.json: template %zu of its chat_template has no name", i + 1);
        else if (!strcmp(name, "default"))
            status = copied(one, "template", &t->chat_template);
        else if (!strcmp(name, "tool_use"))
            status = copied(one, "template", &t->tool_template);
    }
    return status;
}

ib_status ib_tokenizer_read_templates(ib_tokenizer *t, struct json_object *config, const char *folder)
{
    struct stat info;
    char *more = ib_format_text("%s/additional_chat_templates", folder);
    ib_status status = more ? read_file(folder, "chat_template.jinja", &t->chat_template) : IB_ENOMEM;
    if (!status)
        status = read_file(folder, "additional_chat_templates/tool_use.jinja", &t->tool_template);
    if (!status && !t->chat_template && !t->tool_template && stat(more, &info))
        status = read_config(t, config);
    else if (!status && !t->chat_template)
        status = ib_fail(IB_EUNSUPPORTED, "beside it are additional_chat_templates but no chat_template.jinja, the "
                                          "default one: none of them would be used");
    ib_free(more);
    return status;
}
