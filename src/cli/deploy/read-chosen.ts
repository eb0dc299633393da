// What is known about the hosts that a command names.
import type { HostFacts } from "../../deploy/ordering/decide-plan.ts";
import type { StatementSpecification } from "../../rollout/find-statements.ts";
import { readFacts, type DeployReaders } from "../../rollout/read-facts.ts";
import { chooseAddresses, selectAddresses, type HostSelection } from "./choose-hosts.ts";

export interface FactsSpecification extends StatementSpecification {
  readonly hosts: readonly string[];
  /** Narrows the named hosts, or all that ever spoke. */
  readonly select?: HostSelection;
  readonly repo?: string;
}

/** @throws HomelabError as `chooseAddresses` says */
export const readChosen = async (
  readers: DeployReaders,
  { hosts, select, repo, ...specification }: FactsSpecification,
  signal: AbortSignal,
): Promise<readonly HostFacts[]> =>
  readFacts(
    readers,
    (known, states) =>
      select === undefined
        ? chooseAddresses(hosts, repo, known)
        : selectAddresses(hosts, select, repo, known, states),
    specification,
    signal,
  );
