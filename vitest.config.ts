import { defineConfig } from "vitest/config";

/** Workers of the kinds of test that may run beside each other. */
const parallelWorkers = 2;

/** One project per kind of test; `npm test` runs them all, the ones with one worker after the others. */
const project = (name: string, include: string[], testTimeout: number, maxWorkers: number) => ({
  test: { name, include, testTimeout, hookTimeout: 60_000, maxWorkers, environment: "node" as const },
});

export default defineConfig({
  test: {
    projects: [
      project(
        "unit",
        ["{mesh,services,clients,bench,scripts}/**/*.test.ts", "test/{tidy,contracts,history,deploy}/**/*.test.ts"],
        20_000,
        parallelWorkers,
      ),
      project("engines", ["test/engines/**/*.test.ts"], 60_000, parallelWorkers),
      project("e2e", ["test/e2e/**/*.test.ts"], 60_000, 1),
      project("hostile", ["test/hostile/**/*.test.ts", "test/conformance/**/*.test.ts"], 60_000, 1),
      project("polyglot", ["test/polyglot/**/*.test.ts"], 60_000, 1),
      project("mesh", ["test/mesh/**/*.test.ts"], 60_000, 1),
      project("browser", ["test/browser/**/*.test.ts"], 120_000, 1),
      project("faults", ["test/faults/**/*.test.ts"], 300_000, 1),
    ],
  },
});
