import { type ProgramResult, runProgram } from "./run-program.ts";

/** The commit that contracts must stay compatible with, or why there is none. */
export type BreakingBase =
  | { readonly ref: string; readonly name: string }
  | { readonly ref: undefined; readonly reason: string };

/** Runs git in the repository. */
export type Git = (...args: string[]) => Promise<ProgramResult>;

const git: Git = (...args) => runProgram("git", args, { timeoutMs: 30_000 });

async function commitOf(run: Git, revision: string): Promise<string | undefined> {
  const { code, output } = await run("rev-parse", "--verify", "--quiet", `${revision}^{commit}`);
  return code === 0 ? output.trim() : undefined;
}

/** Newest release tag vX.Y.Z; undefined when there is none. */
async function newestReleaseTag(run: Git): Promise<string | undefined> {
  const { output } = await run("tag", "--list", "v*", "--sort=-version:refname");
  return output.split("\n").find((tag) => /^v\d+\.\d+\.\d+$/.test(tag));
}

/**
 * Finds what to compare the contracts with: the newest release; before the first one, where this branch left main;
 * on main itself, the commit before the newest.
 */
export async function findBreakingBase(run: Git = git): Promise<BreakingBase> {
  const head = await commitOf(run, "HEAD");
  if (head === undefined) return { ref: undefined, reason: "this folder is not a git repository with a commit" };
  const tag = await newestReleaseTag(run);
  const tagged = tag === undefined ? undefined : await commitOf(run, tag);
  if (tag !== undefined && tagged !== undefined) return { ref: tagged, name: tag };
  for (const main of ["main", "origin/main"]) {
    const { code, output } = await run("merge-base", main, "HEAD");
    const base = output.trim();
    if (code === 0 && base !== head) return { ref: base, name: `the base on ${main}` };
  }
  const previous = await commitOf(run, "HEAD~1");
  if (previous !== undefined) return { ref: previous, name: "HEAD~1" };
  return { ref: undefined, reason: "there is no release tag and no earlier commit" };
}
