// homelab-deploy.json(5), made from the schema of the configuration file.
import type { JsonSchema } from "../../config/json-schema.ts";
import { configSections, exampleConfig } from "../../config/markdown.ts";
import { definition, heading, page, roffMarkdown, roffText, title, verbatim } from "./roff.ts";

export function configPage(version: string): string {
  return page(
    title("homelab-deploy.json", 5, `homelab-deploy ${version}`),
    heading("NAME"),
    roffText("homelab-deploy.json - configuration of homelab-deploy"),
    heading("DESCRIPTION"),
    roffMarkdown(
      "One JSON file for the builder and for the command line. Unknown keys are errors; `homelab-deploy config check` says everything that is wrong with a file. Secrets never are in it: a setting that ends in `File` is the path of a file, and `$CREDENTIALS_DIRECTORY/name` is a credential of systemd.",
    ),
    ...configSections().flatMap(({ path, schema }) => [
      heading(path === "" ? "SETTINGS" : path),
      ...(schema.description === undefined ? [] : [roffMarkdown(schema.description)]),
      ...Object.entries(schema.properties ?? {}).map(([name, property]) =>
        definition(
          `${name} (${inWords(property, schema.required?.includes(name) === true)})`,
          meaningOf(property),
        ),
      ),
    ]),
    heading("EXAMPLE"),
    verbatim(JSON.stringify(exampleConfig, undefined, 2)),
    heading("SEE ALSO"),
    "\\fBhomelab\\-deploy\\fR(1)",
  );
}

const meaningOf = ({ description }: JsonSchema): string => description ?? "";

function inWords(schema: JsonSchema, isRequired: boolean): string {
  const isPlain = schema.properties === undefined && schema.additionalProperties === undefined;
  const fallback =
    schema.default === undefined || !isPlain ? [] : [`default ${JSON.stringify(schema.default)}`];
  return [typeOf(schema), ...(isRequired ? ["required"] : fallback)].join(", ");
}

function typeOf(schema: JsonSchema): string {
  if (schema.anyOf !== undefined) return schema.anyOf.map(typeOf).join(" or ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.items !== undefined) return `list of ${typeOf(schema.items)}s`;
  const { minimum, maximum } = schema;
  const range = minimum === undefined || maximum === undefined ? "" : ` from ${minimum} to ${maximum}`;
  return `${schema.type ?? "anything"}${range}`;
}
