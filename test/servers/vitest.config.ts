import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/servers/**/*.test.ts'],
    // The second one makes the certificate and has every test process trust it; the first says what is not installed.
    globalSetup: ['test/servers/global-setup.ts', 'test/support/global-setup.ts'],
    pool: 'forks',
    // Two sets of real servers at a time would only fight for the processors.
    maxWorkers: 1,
    execArgv: ['--experimental-sqlite', '--disable-warning=ExperimentalWarning', '--disable-warning=DEP0005'],
    reporters: ['verbose'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
