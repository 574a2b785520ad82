export async function handler(event: unknown) { return { statusCode: 200, body: JSON.stringify({ f: 'api', event }) } }
