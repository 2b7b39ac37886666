/**
 * What `git init` makes of the repository that a patch is taken against, as files: one process less. The attributes win over
 * those of the workspace, whose files are taken as they are, whatever filters and line endings it asks for. What is excluded,
 * since running programs usually leaves it behind, is taken none the less when the workspace began with it.
 */
export const baseRepositoryFiles: Readonly<Record<string, string>> = {
  HEAD: 'ref: refs/heads/main\n',
  config: '[core]\n\trepositoryformatversion = 0\n\tbare = false\n[user]\n\tname = Agent\n\temail = agent@localhost\n',
  'info/exclude': '__pycache__/\n*.pyc\n.pytest_cache/\nnode_modules/\n',
  'info/attributes': '* -text -ident !filter !diff !merge !working-tree-encoding\n',
};

/** When its one commit was made, by author and committer alike: the same workspace has the same commit everywhere. */
export const baseCommitDate = '2000-01-01T00:00:00Z';
