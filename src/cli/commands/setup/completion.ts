// `homelab-deploy completion`: small scripts that ask the program itself, so they never go out of date.
import { Argument, type Command } from "@commander-js/extra-typings";
import { exitCodes } from "../../../protocol/exit-codes.ts";
import { examples } from "../../arguments/help-text.ts";
import { chosen, type Choose, type Whole } from "../../command.ts";

export const completionScripts = {
  bash: `_homelab_deploy() {
  local IFS=$'\\n'
  COMPREPLY=($(homelab-deploy complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _homelab_deploy homelab-deploy
`,
  zsh: `#compdef homelab-deploy
_homelab_deploy() {
  local -a candidates
  candidates=("\${(@f)$(homelab-deploy complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  compadd -- $candidates
}
compdef _homelab_deploy homelab-deploy
`,
  fish: `complete -c homelab-deploy -f -a '(homelab-deploy complete -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
`,
} as const;

export function addCompletion(command: Command, choose: Choose): void {
  command
    .addHelpText("after", examples("completion zsh > ~/.zfunc/_homelab-deploy", "completion fish | source"))
    .addArgument(new Argument("<shell>").choices(["bash", "zsh", "fish"] as const))
    .action(
      chosen(choose, async (context, shell) => {
        context.out.write(completionScripts[shell]);
        return exitCodes.success;
      }),
    );
}

/** What the scripts call. */
export function addComplete(command: Command, choose: Choose, whole: Whole): void {
  command.argument("[word...]").action(
    chosen(choose, async (context, words) => {
      const [{ completeWords }, { readKnownNames }, { refreshNames }] = await Promise.all([
        import("../../arguments/complete-words.ts"),
        import("../../arguments/known-names.ts"),
        import("../../session/refresh-names.ts"),
      ]);
      // To load all of them takes longer than everything else, and somebody waits for the next letter.
      const candidates = completeWords(await whole(words), words, await readKnownNames(context.environment));
      if (candidates.length > 0) context.out.write(`${candidates.join("\n")}\n`);
      await refreshNames(context);
      return exitCodes.success;
    }),
  );
}
