/**
 * An execution environment as on Lambda: a process in which AWS's own runtime client loads one function and calls it.
 * Between two events the process is frozen, whatever it has begun.
 */

import { spawn } from 'node:child_process'
import { basename, dirname } from 'node:path'
import {
  type Boot,
  bootTimeoutMs,
  type ExecutionEnvironment,
  type FunctionDefinition,
  forwardLines,
  withTimeout,
} from '../../infra/local/execution-environment.ts'
import { FunctionError, runtimeErrors } from '../../infra/local/function-error.ts'
import { clientProgram } from './client.ts'
import { serveRuntimeApi } from './runtime-api.ts'

/** @param nodeOptions as in the variable NODE_OPTIONS of a function */
export function bootUnderClient(nodeOptions?: string): Boot {
  return (definition, log) => {
    let usable = true
    let running: { requestId: string; result: PromiseWithResolvers<string> } | undefined
    const booted = Promise.withResolvers<void>()
    // Nobody may be waiting when it fails; whoever waits gets the error all the same.
    booted.promise.catch(() => {})
    let kill = () => {}

    function fail(error: FunctionError): void {
      usable = false
      booted.reject(error)
      running?.result.reject(error)
    }

    async function start() {
      const api = await serveRuntimeApi({
        idle() {
          booted.resolve()
          child.kill('SIGSTOP')
        },
        answered(requestId, payload) {
          if (requestId === running?.requestId) running.result.resolve(payload)
        },
        failed(requestId, error) {
          if (requestId === running?.requestId) running.result.reject(error)
        },
        unusable: fail,
      })
      const child = spawn(process.execPath, [clientProgram], {
        cwd: dirname(definition.file),
        env: { ...variablesOf(definition, api.address), ...(nodeOptions && { NODE_OPTIONS: nodeOptions }) },
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      forwardLines(child.stdout, line => log({ function: definition.name, stream: 'stdout', ...line }))
      forwardLines(child.stderr, line => log({ function: definition.name, stream: 'stderr', ...line }))
      // A frozen process would outlive us.
      kill = () => child.kill('SIGKILL')
      process.once('exit', kill)
      const ended = new Promise<void>(resolve => child.once('exit', () => resolve()))
      child.once('exit', (code, signal) => {
        process.off('exit', kill)
        api.close()
        fail(exitError(definition, code ?? signal))
      })
      return { api, child, ended }
    }

    const started = start()

    async function end(error: FunctionError): Promise<void> {
      fail(error)
      const { ended } = await started
      kill()
      await ended
    }

    const environment: ExecutionEnvironment = {
      isUsable: () => usable,

      async invoke({ requestId, payload }) {
        const { api, child } = await started
        await withTimeout(booted.promise, bootTimeoutMs, end)
        running = { requestId, result: Promise.withResolvers() }
        child.kill('SIGCONT')
        api.give({
          requestId,
          payload,
          functionArn: definition.arn,
          deadlineMs: Date.now() + definition.timeoutMs,
        })
        try {
          return await withTimeout(running.result.promise, definition.timeoutMs, end)
        } finally {
          running = undefined
        }
      },

      terminate: () => end(exitError(definition, 'SIGKILL')),
    }
    return environment
  }
}

function exitError({ name }: FunctionDefinition, how: string | number | null): FunctionError {
  return new FunctionError({ errorType: runtimeErrors.exited, errorMessage: `${name} ended: ${how}` })
}

/**
 * What Lambda sets besides the function's own variables.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
 */
function variablesOf(
  { environment, file, exportName, functionName }: FunctionDefinition,
  runtimeApi: string,
): Record<string, string> {
  return {
    ...environment,
    _HANDLER: `${basename(file, '.mjs')}.${exportName}`,
    LAMBDA_TASK_ROOT: dirname(file),
    AWS_LAMBDA_RUNTIME_API: runtimeApi,
    AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
    AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
    AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
    // The template's LoggingConfig.
    AWS_LAMBDA_LOG_FORMAT: 'JSON',
    AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${functionName}`,
    AWS_LAMBDA_LOG_STREAM_NAME: '2026/01/01/[$LATEST]0',
    AWS_DEFAULT_REGION: environment.AWS_REGION ?? '',
    // A role's credentials are temporary ones.
    AWS_SESSION_TOKEN: 'token-of-the-session',
    TZ: ':UTC',
    LANG: 'en_US.UTF-8',
    // Not Lambda's: the sandbox has made its certificate itself.
    ...(process.env.NODE_EXTRA_CA_CERTS && { NODE_EXTRA_CA_CERTS: process.env.NODE_EXTRA_CA_CERTS }),
  }
}
