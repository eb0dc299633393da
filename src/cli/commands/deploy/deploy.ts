// `homelab-deploy deploy`
import { Option, type Command } from "@commander-js/extra-typings";
import { examples } from "../../arguments/help-text.ts";
import { collectLabel, parseBuildReference, parseCommitReference } from "../../arguments/parse-options.ts";
import { chosen, type Choose } from "../../command.ts";
import { addOrderOptions } from "./order-options.ts";

/** Has hosts activate the newest stated closure of each, and exits with whether they run it. */
export function addDeploy(command: Command, choose: Choose): void {
  addOrderOptions(command.argument("[host...]", "hosts, also as repo/host, or globs such as 'web*'"), {
    detach: "print the id of the rollout or of the one order, and do not wait",
  })
    .option("--all", "every host that has ever reported, or all of --repo")
    .option("--tier <tier>", "hosts of this tier")
    .option("--role <role>", "hosts with this role")
    .option("--label <key=value>", "hosts with this label, may be repeated", collectLabel)
    .addOption(
      new Option("--commit <sha>", "this commit instead of the newest")
        .argParser(parseCommitReference)
        .conflicts("build"),
    )
    .addOption(
      new Option(
        "--build [id]",
        "the systems that this build signed; without an id, build the hosts first",
      ).argParser(parseBuildReference),
    )
    .option("--boot", "do not activate now; make it the default of the next boot")
    .option("--reboot", "reboot hosts that need it")
    .option(
      "--at-once",
      "in a rollout: all hosts in one wave; hosts that others depend on still come last, one by one",
    )
    .option("--allow-downgrade", "allow a system that is older than the running one")
    .option("--allow-drift", "overwrite changes that somebody made by hand")
    .addHelpText(
      "after",
      examples(
        "deploy web01",
        "deploy --all --plan   # what it would do",
        "deploy --tier prod --reason 'openssl' --yes",
        "deploy web01 --build   # build the tip of the branch first",
        "deploy web01 --commit 9c41e7f --allow-downgrade",
        "deploy dns02 --boot --reboot --reason 'new kernel'",
      ),
    )
    .action(
      chosen(choose, async (context, hosts, options) => {
        const { runDeployCommand } = await import("../../deploy/run-deploy-command.ts");
        return runDeployCommand(context, hosts, options);
      }),
    );
}
