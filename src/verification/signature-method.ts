/* Fetching revocation data needs it, too, and stands a row above. */
export * from '../certificates/signature-method.js'
