// `homelab-deploy config check|schema`
import { exitCodes } from "../../../protocol/exit-codes.ts";
import type { ConfigRole } from "../../../config/rules.ts";
import type { Context } from "../../context.ts";

export async function runConfigCheck(
  context: Context,
  file: string,
  options: { readonly for: ConfigRole; readonly json?: boolean | undefined },
): Promise<number> {
  const { ConfigError, loadConfig } = await import("../../../config/load.ts");
  const { formatProblem } = await import("../../../config/problems.ts");
  try {
    const { config, warnings } = await loadConfig(file, options.for);
    if (options.json === true)
      context.out.write(`${JSON.stringify({ valid: true, warnings }, undefined, 2)}\n`);
    else {
      for (const warning of warnings) context.err.write(`warning: ${formatProblem(warning)}\n`);
      const repos = Object.keys(config.repos).length;
      context.out.write(`${file} is valid (${repos === 1 ? "1 repo" : `${repos} repos`}).\n`);
    }
    return exitCodes.success;
  } catch (error) {
    if (options.json !== true || !(error instanceof ConfigError)) throw error;
    context.out.write(`${JSON.stringify({ valid: false, problems: error.problems }, undefined, 2)}\n`);
    return exitCodes.usage;
  }
}

export async function runConfigSchema(
  context: Context,
  options: { readonly markdown?: boolean | undefined },
): Promise<number> {
  if (options.markdown === true) {
    const { configurationMarkdown } = await import("../../../config/markdown.ts");
    context.out.write(configurationMarkdown());
  } else {
    const { configJsonSchema } = await import("../../../config/json-schema.ts");
    context.out.write(`${JSON.stringify(configJsonSchema(), undefined, 2)}\n`);
  }
  return exitCodes.success;
}
