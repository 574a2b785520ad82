import { configDefaults, defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: [...configDefaults.exclude, 'test/servers/**', 'test/browser/**', 'test/runtime/**'],
    globalSetup: 'test/support/global-setup.ts',
    pool: 'forks',
    execArgv: ['--experimental-sqlite', '--disable-warning=ExperimentalWarning', '--disable-warning=DEP0005'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
})
