import { defineConfig } from "vitest/config";

/** One project per kind of test; `npm test` runs them all. */
const project = (name: string, include: string[], testTimeout: number, fileParallelism = true) => ({
  test: { name, include, testTimeout, hookTimeout: 60_000, fileParallelism, environment: "node" },
});

export default defineConfig({
  test: {
    projects: [
      project(
        "unit",
        ["{mesh,services,clients,bench,scripts}/**/*.test.ts", "test/{tidy,contracts,history}/**/*.test.ts"],
        20_000,
      ),
      project("engines", ["test/engines/**/*.test.ts"], 60_000),
      project("e2e", ["test/e2e/**/*.test.ts"], 60_000, false),
      project("browser", ["test/browser/**/*.test.ts"], 120_000, false),
      project("faults", ["test/faults/**/*.test.ts"], 300_000, false),
    ],
  },
});
