// homelab-deploy(1), made from the program's own commands and options.
import type { Command } from "@commander-js/extra-typings";
import { environmentHelp, exitCodesHelp } from "../arguments/help-text.ts";
import { definition, heading, page, roffMarkdown, roffText, subheading, title, verbatim } from "./roff.ts";

export function commandPage(program: Command, version: string): string {
  return page(
    title(program.name(), 1, `${program.name()} ${version}`),
    heading("NAME"),
    roffText(`${program.name()} - ${asPhrase(program.description())}`),
    heading("SYNOPSIS"),
    `\\fB${roffText(program.name())}\\fR [\\fIoptions\\fR] \\fIcommand\\fR [\\fIarguments\\fR]`,
    heading("DESCRIPTION"),
    roffMarkdown(
      `${program.description()} Results go to standard output, messages to standard error. The configuration file is described in \`homelab-deploy.json\`(5).`,
    ),
    heading("OPTIONS"),
    ...optionsOf(program),
    heading("COMMANDS"),
    ...commandsOf(program, program.name()),
    heading("EXIT STATUS"),
    verbatim(exitCodesHelp),
    heading("ENVIRONMENT"),
    verbatim(environmentHelp),
    heading("SEE ALSO"),
    "\\fBhomelab\\-deploy.json\\fR(5), \\fBnix\\fR(1), \\fBnats\\-server\\fR(8)",
  );
}

function commandsOf(command: Command, path: string): string[] {
  const help = command.createHelp();
  return help
    .visibleCommands(command)
    .filter((each) => each.name() !== "help")
    .flatMap((each): string[] => {
      const name = `${path} ${each.name()}`;
      if (each.commands.length > 0) return commandsOf(each as Command, name);
      const usage = `${name} ${each.usage()}`.trim();
      return [subheading(usage), roffMarkdown(each.description()), ...optionsOf(each as Command)];
    });
}

function optionsOf(command: Command): string[] {
  const help = command.createHelp();
  return help
    .visibleOptions(command)
    .filter(({ long }) => long !== "--help")
    .map((option) => definition(help.optionTerm(option), help.optionDescription(option)));
}

/** As whatis(1) wants it: without a capital and a full stop. */
const asPhrase = (sentence: string): string =>
  `${sentence.charAt(0).toLowerCase()}${sentence.slice(1).replace(/\.$/, "")}`;
