import { Ajv } from 'ajv'
import { ConfigSchema, type Config } from './schema.js'

export const ajv = new Ajv({
  ...{ allErrors: true, useDefaults: true, verbose: true },
  code: { source: true, esm: true },
})

/** Whether settings have the form of a configuration. Built, this module is what it compiled to (scripts/build.js). */
export const hasShape = ajv.compile<Config>(ConfigSchema)
