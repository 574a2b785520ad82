/** What a folder is for, in place of its name, which differs from mailbox to mailbox: RFC 6154's attributes. */
export const folderRoles = ['sent', 'junk', 'archive', 'all', 'trash'] as const
