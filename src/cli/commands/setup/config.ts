// `homelab-deploy config check|schema`
import { Option, type Command } from "@commander-js/extra-typings";
import { exitCodes } from "../../../protocol/exit-codes.ts";
import { answer, chosen, type Choose } from "../../command.ts";

export function addConfig(config: Command, choose: Choose): void {
  config
    .command("check")
    .description("Report every error in a configuration file.")
    .argument("<file>")
    .addOption(
      new Option(
        "--for <whom>",
        "check it for this daemon: a builder also needs repos, a deployer its key and rollouts",
      )
        .choices(["builder", "deployer", "client"] as const)
        .default("client" as const),
    )
    .option("--json", "print one JSON document")
    .action(
      chosen(choose, async (context, file, options) => {
        const [{ ConfigError, loadConfig }, { formatProblem }] = await Promise.all([
          import("../../../config/load.ts"),
          import("../../../config/problems.ts"),
        ]);
        try {
          const { config: read, warnings } = await loadConfig(file, options.for);
          const repos = Object.keys(read.repos).length;
          if (!context.json)
            for (const warning of warnings) context.err.write(`warning: ${formatProblem(warning)}\n`);
          answer(context, {
            json: () => ({ valid: true, warnings }),
            text: () => `${file} is valid (${repos === 1 ? "1 repo" : `${repos} repos`}).\n`,
          });
          return exitCodes.success;
        } catch (error) {
          if (!context.json || !(error instanceof ConfigError)) throw error;
          const { problems } = error;
          answer(context, { json: () => ({ valid: false, problems }), text: () => "" });
          return exitCodes.usage;
        }
      }),
    );

  config
    .command("schema")
    .description("Print the schema of the configuration file.")
    .option("--markdown", "print a Markdown page instead")
    .action(
      chosen(choose, async (context, { markdown }) => {
        if (markdown === true) {
          const { configurationMarkdown } = await import("../../../config/markdown.ts");
          context.out.write(configurationMarkdown());
        } else {
          const { configJsonSchema } = await import("../../../config/json-schema.ts");
          context.out.write(`${JSON.stringify(configJsonSchema(), undefined, 2)}\n`);
        }
        return exitCodes.success;
      }),
    );
}
