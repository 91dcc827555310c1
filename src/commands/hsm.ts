import type { Command } from 'commander'
import type { Config } from '../config/schema.js'
import type { HsmKeys } from '../keys/hsm-keys.js'
import type { Custody } from '../keys/key-id.js'
import {
  CommandError,
  configured,
  print,
  printFacts,
  printRows,
  readConfig,
  withServices,
  type CommonOptions,
} from './command-line.js'

export function hsmCommands(program: Command): void {
  const hsm = program.command('hsm').description('the keys in the token, and what it can do')

  configured(hsm.command('probe'))
    .description('say what the token can do; makes keys to try that, and destroys them again')
    .action((options: CommonOptions) =>
      withToken(options, async (keys, config) => {
        const { lackOf, probeToken } = await import('../keys/pkcs11/probe.js')
        const { needsOf } = await import('../keys/open-custody.js')
        const { label, manufacturer, model, serialNumber } = keys.facts
        const capabilities = probeToken(keys.facts, needsOf(config))
        const tolerate = {
          resident: await tryOut(keys, 'resident'),
          wrapped: await tryOut(keys, 'wrapped'),
        }
        const wrapping = await keys.describeWrapping().catch(() => null)
        const facts = { label, manufacturer, model, serialNumber }
        const missing = lackOf(capabilities)
        if (options.json) {
          return printFacts({ ...facts, tolerate, wrapping, missing, capabilities }, true)
        }
        printFacts(facts)
        print('')
        printRows(
          capabilities.map(({ capability, needed, found, detail }) => ({
            capability,
            needed: needed ? 'yes' : '',
            found: found ? 'yes' : 'no',
            'rests on': detail,
          })),
        )
        print('')
        printFacts({
          'resident keys': tolerate.resident,
          'wrapped keys': tolerate.wrapped,
          'wrapped by': wrapping?.variant,
          'guarded by the token': wrapping?.guarded,
        })
        if (missing !== null) throw new CommandError(`The token lacks ${missing}.`)
      }),
    )

  configured(hsm.command('init'))
    .description('make the two keys under which others are wrapped; once for a token')
    .action((options: CommonOptions) =>
      withToken(options, async (keys, config) => {
        const made = await keys.makeWrappingKeys()
        const facts = { tokenLabel: config.hsm.tokenLabel, wrappingKey: config.hsm.wrappingKey }
        const { guarded } = await keys.describeWrapping().catch((error: unknown) => {
          const why = `${messageOf(error)}.\nAsk "openrssp hsm probe" what has to be tolerated.`
          throw new CommandError(`The two keys are there, but nothing can be wrapped: ${why}`)
        })
        printFacts({ ...facts, made, guarded }, options.json)
      }),
    )

  configured(hsm.command('check'))
    .description('destroy keys nobody finished, and name those that are missing in the token')
    .action((options: CommonOptions) =>
      withServices(options, async ({ register }) => {
        const destroyed = await register.destroyAbandoned()
        const missing = await register.flagMissing()
        printFacts({ destroyed, missing }, options.json)
        if (missing.length > 0) throw new CommandError(`${missing.length} keys are missing.`)
      }),
    )
}

async function withToken(
  options: CommonOptions,
  use: (keys: HsmKeys, config: Config) => Promise<void>,
): Promise<void> {
  const config = readConfig(options)
  const { openForInspection } = await import('../keys/open-custody.js')
  const keys = await openForInspection(config)
  try {
    await use(keys, config)
  } finally {
    await keys.close()
  }
}

/** Whether keys of the token are as we want them, in words. */
async function tryOut(keys: HsmKeys, custody: Custody): Promise<string> {
  try {
    const needed = await keys.findTolerations(custody)
    if (needed.length === 0) return 'as they should be'
    return `only with "tolerate": ${JSON.stringify(needed)} in hsm`
  } catch (error) {
    return `will not do: ${messageOf(error)}`
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
