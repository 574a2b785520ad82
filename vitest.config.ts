import { availableParallelism } from 'node:os'
import { configDefaults, defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: [...configDefaults.exclude, 'test/servers/**', 'test/browser/**', 'test/runtime/**'],
    globalSetup: 'test/support/global-setup.ts',
    setupFiles: 'test/support/log-of-failures.ts',
    pool: 'forks',
    // The long ones mostly wait for one another's processes: of two cores one would be idle half of the time.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    execArgv: ['--experimental-sqlite', '--disable-warning=ExperimentalWarning', '--disable-warning=DEP0005'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
})
