import { readFileSync } from 'node:fs'
import type { Config } from '../config/schema.js'
import { policyIdentifier, type PolicyRules } from './signature-policy.js'

/** The policies that the configuration names, with their texts. */
export function configuredPolicies({ verification }: Pick<Config, 'verification'>): PolicyRules {
  return {
    texts: verification.policies.map(({ identifier, file }) => ({
      identifier: policyIdentifier(identifier),
      text: readFileSync(file),
    })),
    unknown: verification.unknownPolicies,
  }
}
