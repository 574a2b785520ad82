import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/runtime/**/*.test.ts'],
    // The second one makes the certificate and has every test process trust it; the first says what is not installed.
    globalSetup: ['test/runtime/global-setup.ts', 'test/support/global-setup.ts'],
    pool: 'forks',
    maxWorkers: 1,
    execArgv: ['--experimental-sqlite', '--disable-warning=ExperimentalWarning', '--disable-warning=DEP0005'],
    reporters: ['verbose'],
    testTimeout: 60_000,
    hookTimeout: 180_000,
  },
})
