// `homelab-deploy completion`: small scripts that ask the program itself, so they never go out of date.
import { exitCodes } from "../../../protocol/exit-codes.ts";
import { completeWords, type CommandTree } from "../../arguments/complete-words.ts";
import type { Context } from "../../context.ts";
import { readKnownNames } from "../../arguments/known-names.ts";

const scripts = {
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

export async function runCompletion(context: Context, shell: keyof typeof scripts): Promise<number> {
  context.out.write(scripts[shell]);
  return exitCodes.success;
}

/** What the scripts call. */
export async function runComplete(
  context: Context,
  words: readonly string[],
  tree: CommandTree,
): Promise<number> {
  const candidates = completeWords(tree, words, await readKnownNames(context.environment));
  if (candidates.length > 0) context.out.write(`${candidates.join("\n")}\n`);
  return exitCodes.success;
}
