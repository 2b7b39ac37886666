import { baseCommitDate, baseRepositoryFiles } from './base-repository.ts';

const writeBaseRepository = Object.entries(baseRepositoryFiles)
  .map(([path, text]) => `printf '%s' '${text}' > "$snapshot/${path}"`)
  .join('\n');

/**
 * POSIX shell, run as root without network in a container of a task's image. `$1` is the workdir, `$2` a base commit or ''.
 *
 * Repositories at and below the workdir are made anew from what their HEAD (and the base commit) needs: one branch and the
 * objects of its history and of the index, nothing else. No remotes, tags, reflogs, stashes, notes, replacements, grafts,
 * hooks, leftovers of merges and fetches, other worktrees (which are removed), alternates (whose stores are removed), and no
 * setting that names a place or a program. Files, index, and what is ignored stay as they were. Elsewhere on the same file
 * system, repositories that hold this one's history and bundles are removed. A workdir without a repository is left alone.
 *
 * Then makes `/clade/base.git` of the files at the workdir, which an agent's patch is taken against; what is ignored and not
 * tracked is no part of it. Exit code 0, or a message on stderr. `$3` and `$4` stand in for `/` and `/clade/base.git`.
 */
export const historySealScript = `
set -eu
workdir=$(cd "$1" && pwd -P); base=$2; root=\${3:-/}; snapshot=\${4:-/clade/base.git}
GIT=$(command -v git || echo /opt/clade/bin/git)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES GIT_CONFIG_PARAMETERS GIT_CONFIG_COUNT
export HOME="$scratch" XDG_CONFIG_HOME="$scratch" GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL="$scratch/.gitconfig" LC_ALL=C
export GIT_NO_LAZY_FETCH=1 GIT_OPTIONAL_LOCKS=0 GIT_TERMINAL_PROMPT=0
cat > "$scratch/.gitconfig" <<'END'
[safe]
	directory = *
[core]
	hooksPath = /dev/null
	fsmonitor = false
	bigFileThreshold = 4m
	looseCompression = 1
[maintenance]
	auto = false
[gc]
	auto = 0
[user]
	name = Clade
	email = clade@localhost
END

die() { echo "The history at $workdir could not be sealed: $*" >&2; exit 1; }

# The settings of a repository that change what its files and their state look like, one a line.
kept_settings() {
  for file in "$1/config" "$2/config.worktree"; do
    [ -f "$file" ] || continue
    "$GIT" config --file "$file" --get-regexp '^(core\\.(filemode|ignorecase|precomposeunicode|symlinks|autocrlf|eol|safecrlf|sparsecheckout|sparsecheckoutcone|quotepath|trustctime|checkstat|abbrev)|user\\.(name|email)|status\\..*|filter\\..*|submodule\\..*\\.active|extensions\\.objectformat)$' || true
  done
}

# Removes the object stores that one borrows from, and those that these borrow from; whole repositories where they are ones.
remove_lenders() {
  [ -f "$1/info/alternates" ] || return 0
  while IFS= read -r lender || [ -n "$lender" ]; do
    case $lender in ''|'#'*) continue;; /*) ;; *) lender=$1/$lender;; esac
    [ -d "$lender" ] || continue
    lender=$(cd "$lender" && pwd -P)
    [ "$lender" != "$1" ] || continue
    echo "$lender" >> "$scratch/lenders"
    if ! grep -qxF "$lender" "$scratch/seen" 2>/dev/null; then
      echo "$lender" >> "$scratch/seen"
      (remove_lenders "$lender")
    fi
  done < "$1/info/alternates"
}

# Directories of other working trees of a repository, which hold files of other commits.
remove_worktrees() {
  for link in "$2"/worktrees/*/gitdir; do
    [ -f "$link" ] || continue
    tree=$(dirname "$(cat "$link")")
    [ -d "$tree" ] || continue
    tree=$(cd "$tree" && pwd -P)
    case $1/ in "$tree"/*) continue;; esac
    rm -rf "$tree"
  done
}

# seal TOP COMMIT: the repository whose files are at TOP. COMMIT, if not empty, stays as well.
seal() {
  top=$1; also=$2
  git_dir=$(cd "$top" && "$GIT" rev-parse --absolute-git-dir) || die "$top/.git cannot be read"
  common=$(cd "$top" && cd "$("$GIT" rev-parse --git-common-dir)" && pwd -P)
  owner=$(ls -ldn "$top/.git" | awk '{ print $3 ":" $4 }')
  head=$("$GIT" -C "$top" rev-parse --verify --quiet 'HEAD^{commit}') || head=
  branch=$("$GIT" -C "$top" symbolic-ref --quiet HEAD) || branch=refs/heads/main
  case $branch in refs/heads/*) ;; *) branch=refs/heads/main;; esac
  if [ -n "$also" ]; then
    also=$("$GIT" -C "$top" rev-parse --verify --quiet "$also^{commit}") || die "it has no commit $2"
  fi
  if [ -f "$git_dir/index" ]; then
    "$GIT" -C "$top" update-index --no-split-index --no-untracked-cache --no-fsmonitor --clear-resolve-undo >/dev/null 2>&1 ||
      "$GIT" -C "$top" update-index --no-split-index >/dev/null 2>&1 || true
  fi
  fresh=$top/.git-sealed
  touch -r "$top" "$scratch/time"
  rm -rf "$fresh"
  mkdir -p "$fresh/objects/pack" "$fresh/objects/info" "$fresh/refs/heads" "$fresh/refs/tags" "$fresh/info"
  echo "ref: $branch" > "$fresh/HEAD"
  printf '[core]\\n\\trepositoryformatversion = 0\\n\\tbare = false\\n\\tlogallrefupdates = true\\n' > "$fresh/config"
  kept_settings "$common" "$git_dir" | while IFS= read -r line; do
    "$GIT" config --file "$fresh/config" --add "\${line%% *}" "\${line#* }"
    case $line in extensions.*) "$GIT" config --file "$fresh/config" core.repositoryformatversion 1;; esac
  done
  for file in info/exclude info/attributes info/sparse-checkout; do
    for from in "$common" "$git_dir"; do if [ -f "$from/$file" ]; then cp -p "$from/$file" "$fresh/$file"; fi; done
  done
  if [ -f "$common/shallow" ]; then cp "$common/shallow" "$fresh/shallow"; fi
  if [ -f "$git_dir/index" ]; then cp -p "$git_dir/index" "$fresh/index"; fi
  printf '%s\\n' $head $also > "$scratch/wanted"
  # By the new repository, which has this one index; the old one may have other working trees, each with its own.
  (
    export GIT_ALTERNATE_OBJECT_DIRECTORIES="$common/objects"
    pack() { "$GIT" --git-dir="$fresh" pack-objects --revs --indexed-objects --delta-base-offset --quiet "$@" "$fresh/objects/pack/pack" < "$scratch/wanted"; }
    pack >/dev/null 2> "$scratch/why" || pack --missing=allow-any >/dev/null
  ) || die "its objects cannot be packed: $(head -n 1 "$scratch/why")"
  if [ -n "$head" ]; then
    mkdir -p "$(dirname "$fresh/$branch")"
    echo "$head" > "$fresh/$branch"
  fi
  if [ -n "$also" ] && ! "$GIT" --git-dir="$fresh" merge-base --is-ancestor "$also" "$head"; then
    mkdir -p "$fresh/refs/clade"
    echo "$also" > "$fresh/refs/clade/base"
  fi
  if [ -f "$fresh/shallow" ]; then
    while read -r commit; do
      if "$GIT" --git-dir="$fresh" cat-file -e "$commit" 2>/dev/null; then echo "$commit"; fi
    done < "$fresh/shallow" > "$scratch/shallow"
    cp "$scratch/shallow" "$fresh/shallow"
  fi
  remove_worktrees "$top" "$common"
  (remove_lenders "$common/objects")
  chown -R "$owner" "$fresh" 2>/dev/null || true
  # Not moved aside: a directory of an image's lower layer would be copied.
  rm -rf "$top/.git"
  mv "$fresh" "$top/.git"
  touch -r "$scratch/time" "$top"
  # Where .git was a file, what it named is elsewhere.
  case $git_dir in "$top/.git") ;; *) echo "$git_dir" >> "$scratch/lenders";; esac
  case $common in "$top/.git"|"$git_dir") ;; *) echo "$common" >> "$scratch/lenders";; esac
}

# Whether a repository holds history of the sealed one: one of its two commits, or, unless it is among its files, three of the
# things at their root.
is_related() {
  shared=0
  case $1/ in "$top"/*) ;; *) shared=$("$GIT" --git-dir="$1" cat-file --batch-check < "$scratch/marks" 2>/dev/null | grep -vc ' missing$') || shared=0;; esac
  commits=$("$GIT" --git-dir="$1" cat-file --batch-check < "$scratch/commits" 2>/dev/null | grep -vc ' missing$') || commits=0
  [ "$commits" -gt 0 ] || [ "$shared" -ge 3 ]
}

: > "$scratch/lenders"
top=$("$GIT" -C "$workdir" rev-parse --show-toplevel 2>/dev/null) || top=
if [ -n "$top" ]; then
  top=$(cd "$top" && pwd -P)
  find "$top" -mindepth 2 -xdev -name .git -prune -print > "$scratch/nested"
  while IFS= read -r nested; do
    nested=$(dirname "$nested")
    if [ "$("$GIT" -C "$nested" rev-parse --show-toplevel 2>/dev/null)" != "$nested" ]; then
      # Not readable as a repository, such as a submodule whose store is gone.
      if [ -d "$nested/.git" ]; then rm -rf "$nested/.git/objects" "$nested/.git/logs"; else rm -f "$nested/.git"; fi
    elif "$GIT" -C "$nested" rev-parse --verify --quiet 'HEAD^{commit}' >/dev/null; then
      (seal "$nested" '')
    else
      rm -rf "$nested/.git"
    fi
  done < "$scratch/nested"
  (seal "$top" "$base")
  {
    "$GIT" -C "$top" rev-parse --verify --quiet 'HEAD^{commit}' || true
    echo $base
  } | grep . > "$scratch/commits" || true
  "$GIT" -C "$top" ls-tree HEAD 2>/dev/null | awk '{ print $3 }' | grep -v '^e69de29bb2d1d6434b8b29ae775ad8c2e48c5391$' > "$scratch/marks" || true
  find "$root" -xdev -type d -name objects -print > "$scratch/stores" 2>/dev/null || true
  sort -u "$scratch/stores" | while IFS= read -r store; do
    place=$(dirname "$store")
    case $place/ in "$top/.git/"*|"$scratch/"*) continue;; esac
    if [ -f "$place/HEAD" ] && is_related "$place"; then echo "$place" >> "$scratch/lenders"; fi
  done
  while IFS= read -r lender; do
    case $(basename "$lender") in objects) if [ -f "$(dirname "$lender")/HEAD" ]; then lender=$(dirname "$lender"); fi;; esac
    case $top/ in "$lender"/*) continue;; esac
    case $lender/ in "$top/.git/"*) continue;; esac
    rm -rf "$lender"
  done < "$scratch/lenders"
  find "$root" -xdev -type f -name '*.bundle' -print 2>/dev/null | while IFS= read -r bundle; do
    case $bundle in "$top/"*) if "$GIT" -C "$top" ls-files --error-unmatch -- "$bundle" >/dev/null 2>&1; then continue; fi;; esac
    case $(head -c 14 "$bundle" 2>/dev/null) in '# v2 git bundl'|'# v3 git bundl') rm -f "$bundle";; esac
  done
fi

rm -rf "$snapshot"
mkdir -p "$snapshot/objects/pack" "$snapshot/objects/info" "$snapshot/refs/heads" "$snapshot/info"
${writeBaseRepository}
cd "$workdir"
if [ "$top" = "$workdir" ] && "$GIT" config --get extensions.objectformat >/dev/null; then top=; fi
if [ "$top" = "$workdir" ] && "$GIT" rev-parse --verify --quiet 'HEAD^{tree}' > "$scratch/tree"; then
  "$GIT" pack-objects --revs --delta-base-offset --quiet "$snapshot/objects/pack/pack" < "$scratch/tree" >/dev/null
fi
"$GIT" --git-dir="$snapshot" --work-tree=. -c advice.addEmbeddedRepo=false add --all . 2> "$scratch/why" ||
  { cat "$scratch/why" >&2; exit 1; }
if [ -n "$top" ]; then
  "$GIT" ls-files -z --cached --ignored --exclude-standard > "$scratch/forced" 2>/dev/null || : > "$scratch/forced"
  "$GIT" --git-dir="$snapshot" --work-tree=. update-index --add --remove -z --stdin < "$scratch/forced"
fi
export GIT_AUTHOR_DATE=${baseCommitDate} GIT_COMMITTER_DATE=${baseCommitDate}
"$GIT" --git-dir="$snapshot" --work-tree=. commit --quiet --allow-empty --no-verify --message=Start
chmod -R a+rwX "$snapshot"
`;
