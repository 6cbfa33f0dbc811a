"""The settings, section by section: frozen structs whose fields carry their own explanation.

`core.contract.settings` puts them together and reads them. A field's name ends in its unit; its
explanation is what `goutong config schema` and `goutong.example.toml` show.
"""
