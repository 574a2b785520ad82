export class PostroomError extends Error { constructor(code: string, _d?: unknown) { super(code) } }
